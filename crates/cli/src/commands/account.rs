//! `account`: the accounts of a node, kept on its own machine while it is stopped.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use jiff::Timestamp;
use registry::names::Person;
use server::access::{Access, Role, Roles};
use server::{Ledger, Node};

use crate::exit::{Exit, Failure, OrExit as _};
use crate::files;

/// Who acts when a command is given on the machine itself.
const HERE: &str = "this machine";

/// Arguments of `account`.
#[derive(Debug, Args)]
pub(crate) struct Account {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Invite somebody; prints the token with which they set password and passkey within a week.
    Invite {
        /// Who: badge, account or name as the house knows them.
        name: Person,
        /// What for, with commas: registrar, requester, approver, examiner, auditor, operator.
        #[arg(long, required = true, value_delimiter = ',', value_name = "ROLES")]
        roles: Vec<Role>,
        /// The node's folder.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
    },
    /// Free a locked or closed account: password and passkey are set anew; prints the token.
    Free {
        /// Whose.
        name: Person,
        /// The node's folder.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
    },
    /// List the accounts.
    List {
        /// The node's folder.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// Print JSON, one object a line.
        #[arg(long)]
        json: bool,
    },
}

/// Keeps the accounts of a node that is stopped.
pub(crate) fn account(arguments: &Account) -> Result<Exit, Failure> {
    let now = Timestamp::now();
    match &arguments.what {
        What::Invite { name, roles, data } => {
            let roles = Roles::new(roles.iter().copied()).or_exit(Exit::Refused, "cannot invite")?;
            let (access, ledger) = open(data)?;
            let invited = wait(access.invite((HERE, name.clone(), roles), &ledger, now))?;
            files::print_line(invited.or_exit(Exit::Refused, "cannot invite")?)?;
        }
        What::Free { name, data } => {
            let (access, ledger) = open(data)?;
            let invited = wait(access.invite_anew((HERE, name), &ledger, now))?;
            files::print_line(invited.or_exit(Exit::Refused, "cannot free")?)?;
        }
        What::List { data, json } => {
            let node = Node::open(data).or_exit(Exit::BadInput, "cannot open the node")?;
            let access = Access::open(&node).or_exit(Exit::Environment, "cannot read the accounts")?;
            for one in wait(access.list())? {
                files::print_line(line(&one, *json))?;
            }
        }
    }
    Ok(Exit::Done)
}

fn line(account: &server::access::Account, json: bool) -> String {
    let roles: Vec<Role> = account.roles.clone().into();
    if json {
        return serde_json::json!({
            "schema": "microstamp.account/1", "name": account.name, "roles": roles, "standing": account.standing,
            "used_at": account.used_at,
        })
        .to_string();
    }
    let roles: Vec<&str> = roles.into_iter().map(Role::as_str).collect();
    let standing = serde_json::to_value(account.standing).unwrap_or_default();
    format!(
        "{}  {}  {}  {}",
        account.name,
        roles.join(","),
        standing.as_str().unwrap_or_default(),
        account.used_at
    )
}

/// The accounts, and the log that their changes go into; a node that runs holds the log.
fn open(data: &Path) -> Result<(Access, Ledger), Failure> {
    let node = Node::open(data).or_exit(Exit::BadInput, "cannot open the node")?;
    let ledger = Ledger::open(&node.folder, &node.log).or_exit(
        Exit::Environment,
        "cannot open the node's log (a running node holds it; ask its operator, or stop it first)",
    )?;
    let access = Access::open(&node).or_exit(Exit::Environment, "cannot read the accounts")?;
    wait(access.reconcile(&ledger, Timestamp::now()))?
        .or_exit(Exit::Environment, "cannot use the accounts")?;
    Ok((access, ledger))
}

fn wait<T>(future: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok(runtime.or_exit(Exit::Environment, "cannot start")?.block_on(future))
}
