//! `account`: the accounts of a node, kept on its own machine, whether it runs or not.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use jiff::Timestamp;
use registry::names::Person;
use serde_json::{Value, json};
use server::access::{Access, MACHINE, Role, Roles, Word};
use server::federation::{Message, Start};
use server::{Client, Ledger, Node};

use super::ask::running;
use crate::exit::{Exit, Failure, OrExit as _};
use crate::files;

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
    /// Confirm the passkey of an account that an operator invited, so that it can sign in, or the roles that an operator gave it.
    Confirm {
        /// Whose.
        name: Person,
        /// What its owner was shown after enrolling; ask them, and nobody else.
        #[arg(long, value_name = "DIGITS", required_unless_present = "roles", conflicts_with = "roles")]
        passkey: Option<String>,
        /// All roles that it is to have, with commas, as `account list` shows that they wait.
        #[arg(long, value_delimiter = ',', value_name = "ROLES")]
        roles: Vec<Role>,
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

/// What is done to an account.
enum Act<'a> {
    Invite(&'a Person, Vec<Role>),
    Free(&'a Person),
    Confirm(&'a Person, Word<'a>),
}

/// Keeps the accounts of a node.
pub(crate) fn account(arguments: &Account) -> Result<Exit, Failure> {
    let token = match &arguments.what {
        What::Invite { name, roles, data } => wait(keep(data, Act::Invite(name, roles.clone())))??,
        What::Free { name, data } => wait(keep(data, Act::Free(name)))??,
        What::Confirm { name, passkey: Some(passkey), data, .. } => {
            wait(keep(data, Act::Confirm(name, Word::Passkey(passkey))))??
        }
        What::Confirm { name, roles, data, .. } => {
            let roles = Roles::new(roles.iter().copied()).or_exit(Exit::Refused, "cannot confirm")?;
            wait(keep(data, Act::Confirm(name, Word::Roles(&roles))))??
        }
        What::List { data, json } => {
            let node = Node::open(data).or_exit(Exit::BadInput, "cannot open the node")?;
            let access = Access::open(&node).or_exit(Exit::Environment, "cannot read the accounts")?;
            for one in wait(access.list())? {
                files::print_line(line(&one, *json))?;
            }
            None
        }
    };
    if let Some(token) = token {
        files::print_line(token)?;
    }
    Ok(Exit::Done)
}

/// Does it through the node where it runs, and in its folder otherwise; the token, if there is one.
async fn keep(data: &Path, act: Act<'_>) -> Result<Option<String>, Failure> {
    let node = Node::open(data).or_exit(Exit::BadInput, "cannot open the node")?;
    match running(&node).await {
        Some(client) => through_node((&client, &node), &act).await,
        None => by_itself(&node, act).await,
    }
}

async fn through_node((client, node): (&Client, &Node), act: &Act<'_>) -> Result<Option<String>, Failure> {
    let (path, body) = match act {
        Act::Invite(name, roles) => (String::new(), json!({"name": name, "roles": roles})),
        Act::Free(name) => (format!("/{}/invitation", encoded(name)), Value::Null),
        Act::Confirm(name, word) => {
            let said = match word {
                Word::Passkey(passkey) => json!({"passkey": passkey}),
                Word::Roles(roles) => json!({"roles": roles}),
            };
            (format!("/{}/confirmation", encoded(name)), said)
        }
    };
    let token = node.machine_token().or_exit(Exit::Environment, "cannot act at the node that runs")?;
    let message = Message::request("POST", &format!("{}/access/v1/accounts{path}", node.config.url))
        .with("content-type", "application/json")
        .with("authorization", &format!("Bearer {token}"));
    let content = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    let (head, content) = client.send(&message, content).await.or_exit(Exit::Environment, "cannot act")?;
    let answer: Value = serde_json::from_slice(&content).unwrap_or_default();
    match head.start {
        Start::Answer(200..=299) => Ok(answer["token"].as_str().map(str::to_owned)),
        Start::Answer(status) => {
            let exit = if (400..500).contains(&status) { Exit::Refused } else { Exit::Environment };
            Err(exit.because(answer["detail"].as_str().unwrap_or("the node refused")))
        }
        Start::Request { .. } => Err(Exit::Environment.because("the node answered with a request")),
    }
}

async fn by_itself(node: &Node, act: Act<'_>) -> Result<Option<String>, Failure> {
    let now = Timestamp::now();
    let ledger = Ledger::open(&node.folder, &node.log).or_exit(
        Exit::Environment,
        "cannot open the node's log (does a node run that does not answer under its own address?)",
    )?;
    let access = Access::open(node).or_exit(Exit::Environment, "cannot read the accounts")?;
    access.reconcile(&ledger, now).await.or_exit(Exit::Environment, "cannot use the accounts")?;
    Ok(match act {
        Act::Invite(name, roles) => {
            let roles = Roles::new(roles).or_exit(Exit::Refused, "cannot invite")?;
            let invited = access.invite((MACHINE, name.clone(), roles), &ledger, now).await;
            Some(invited.or_exit(Exit::Refused, "cannot invite")?)
        }
        Act::Free(name) => {
            let invited = access.invite_anew((MACHINE, name), &ledger, now).await;
            Some(invited.or_exit(Exit::Refused, "cannot free")?)
        }
        Act::Confirm(name, word) => {
            let confirmed = access.confirm((MACHINE, name, word), &ledger, now).await;
            confirmed.or_exit(Exit::Refused, "cannot confirm")?;
            None
        }
    })
}

/// A name as a part of an address.
fn encoded(name: &Person) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    name.as_str().bytes().map(byte).collect()
}

fn line(account: &server::access::Account, json: bool) -> String {
    let roles: Vec<Role> = account.roles.clone().into();
    if json {
        return json!({
            "schema": "microstamp.account/1", "name": account.name, "roles": roles, "standing": account.standing,
            "used_at": account.used_at, "proposed": account.proposed,
        })
        .to_string();
    }
    let words = |roles: Vec<Role>| roles.into_iter().map(Role::as_str).collect::<Vec<_>>().join(",");
    let standing = serde_json::to_value(account.standing).unwrap_or_default();
    let standing = standing.as_str().unwrap_or_default();
    let waits = account.proposed.as_ref().map(|one| {
        format!("  waits for somebody to confirm {}, given by {}", words(one.roles.clone().into()), one.by)
    });
    format!(
        "{}  {}  {standing}  {}{}",
        account.name,
        words(roles),
        account.used_at,
        waits.unwrap_or_default()
    )
}

fn wait<T>(future: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok(runtime.or_exit(Exit::Environment, "cannot start")?.block_on(future))
}
