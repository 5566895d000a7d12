//! Roles, what each permits, and which exclude each other (CJIS AC-5, AC-6).

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a person is trusted with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Keeps an issuer's books: asks what became of a code, records entries.
    Registrar,
    /// Files questions.
    Requester,
    /// Approves the questions of others.
    Approver,
    /// Reads marks, and attaches readings to questions that wait.
    Examiner,
    /// Sees everything that was asked and answered, and changes nothing.
    Auditor,
    /// Keeps the node and its accounts, and sees no question.
    Operator,
}

/// What a caller wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// File a question, or withdraw one's own.
    FileQuestion,
    /// Approve or refuse a question of somebody else.
    ApproveQuestion,
    /// See questions and their answers; a requester sees only its own.
    SeeQuestions,
    /// Attach a reading to a question that waits.
    AttachReading,
    /// Ask an issuer's books what became of a code.
    SeeCodes,
    /// Record an entry in an issuer's books.
    RecordEntry,
    /// See which dealers an issuer's answers wait for.
    SeeReminders,
    /// See the records behind the log.
    SeeRecords,
    /// See who has an account.
    SeeAccounts,
    /// Make, change, free and close accounts.
    ManageAccounts,
    /// Say that an account that was set up is its owner's; not one that one invited oneself.
    ConfirmAccounts,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 6] =
        [Self::Registrar, Self::Requester, Self::Approver, Self::Examiner, Self::Auditor, Self::Operator];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Registrar => "registrar",
            Self::Requester => "requester",
            Self::Approver => "approver",
            Self::Examiner => "examiner",
            Self::Auditor => "auditor",
            Self::Operator => "operator",
        }
    }
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 11] = [
        Self::FileQuestion,
        Self::ApproveQuestion,
        Self::SeeQuestions,
        Self::AttachReading,
        Self::SeeCodes,
        Self::RecordEntry,
        Self::SeeReminders,
        Self::SeeRecords,
        Self::SeeAccounts,
        Self::ManageAccounts,
        Self::ConfirmAccounts,
    ];
}

/// Whether a role permits an action: the whole matrix.
pub fn permits(role: Role, action: Action) -> bool {
    match action {
        Action::FileQuestion => role == Role::Requester,
        Action::ApproveQuestion => role == Role::Approver,
        Action::SeeQuestions => {
            matches!(role, Role::Requester | Role::Approver | Role::Auditor | Role::Examiner)
        }
        Action::AttachReading => role == Role::Examiner,
        Action::SeeCodes | Action::RecordEntry | Action::SeeReminders => role == Role::Registrar,
        Action::SeeRecords => role == Role::Auditor,
        Action::SeeAccounts | Action::ConfirmAccounts => matches!(role, Role::Operator | Role::Auditor),
        Action::ManageAccounts => role == Role::Operator,
    }
}

/// The roles of one account: at least one, and at most one of requester, approver and auditor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Role>", into = "Vec<Role>")]
pub struct Roles(BTreeSet<Role>);

/// Why roles do not go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RolesError {
    /// None.
    #[error("an account holds at least one role")]
    None,
    /// Two that exclude each other.
    #[error("nobody is both {} and {}: who asks, who approves and who audits are different people", .0.as_str(), .1.as_str())]
    Apart(Role, Role),
    /// No such role.
    #[error("there is no such role\nhint: registrar, requester, approver, examiner, auditor, operator")]
    Unknown,
}

const APART: [Role; 3] = [Role::Requester, Role::Approver, Role::Auditor];
/// Roles that nobody gives alone: of those who ask and approve, and of those who oversee and make accounts.
const NOT_ALONE: [Role; 4] = [Role::Requester, Role::Approver, Role::Auditor, Role::Operator];

impl Roles {
    /// Puts roles together.
    ///
    /// # Errors
    /// [`RolesError`].
    pub fn new(roles: impl IntoIterator<Item = Role>) -> Result<Self, RolesError> {
        let roles: BTreeSet<Role> = roles.into_iter().collect();
        let held: Vec<Role> = APART.into_iter().filter(|role| roles.contains(role)).collect();
        match (&held[..], roles.is_empty()) {
            (_, true) => Err(RolesError::None),
            ([first, second, ..], _) => Err(RolesError::Apart(*first, *second)),
            _ => Ok(Self(roles)),
        }
    }

    /// Whether one of them permits an action.
    pub fn permit(&self, action: Action) -> bool {
        self.0.iter().any(|role| permits(*role, action))
    }

    /// Whether there is a role among them that nobody gives alone and that was not held before.
    pub(super) fn gain_over(&self, before: &Self) -> bool {
        NOT_ALONE.iter().any(|role| self.contains(*role) && !before.contains(*role))
    }

    /// Whether this role is among them.
    pub fn contains(&self, role: Role) -> bool {
        self.0.contains(&role)
    }
}

impl TryFrom<Vec<Role>> for Roles {
    type Error = RolesError;

    fn try_from(roles: Vec<Role>) -> Result<Self, RolesError> {
        Self::new(roles)
    }
}

impl From<Roles> for Vec<Role> {
    fn from(roles: Roles) -> Self {
        roles.0.into_iter().collect()
    }
}

impl FromStr for Role {
    type Err = RolesError;

    fn from_str(text: &str) -> Result<Self, RolesError> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or(RolesError::Unknown)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
