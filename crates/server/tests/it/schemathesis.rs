//! Requests that schemathesis makes of the published document, sent to running nodes. `tests/schemathesis.sh` installs it and
//! runs this; in a plain run there is nothing to send with.

use std::path::Path;
use std::process::{Command, Output};

use server::access::Role;

use crate::people::Office;

/// What is looked for in every answer. Left out is only whether all valid data is taken: no schema says that posteriors must
/// not sum to more than one, or that a code's check symbols must fit.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_headers_conformance,response_schema_conformance,negative_data_rejection,missing_required_header,\
    unsupported_method,allow_header_conformance,ignored_auth";

/// One node as one caller sees it.
struct Run {
    name: &'static str,
    url: String,
    session: Option<String>,
}

#[tokio::test(flavor = "multi_thread")]
async fn made_up_requests_find_no_fault() {
    let Ok(program) = std::env::var("MICROSTAMP_SCHEMATHESIS") else {
        eprintln!("MICROSTAMP_SCHEMATHESIS names no schemathesis: run crates/server/tests/schemathesis.sh");
        return;
    };
    let examples = std::env::var("MICROSTAMP_EXAMPLES").unwrap_or_else(|_| "60".to_owned());
    let (office, operator) = Office::open().await;
    let (house, keeper) = Office::at("issuer").await;
    let asks = office.join(&operator, "asks example", &[Role::Requester, Role::Examiner], 2).await;
    let approves = office.join(&operator, "approves example", &[Role::Approver], 3).await;
    let audits = office.join(&operator, "audits example", &[Role::Auditor], 4).await;
    let records = house.join(&keeper, "records example", &[Role::Registrar, Role::Auditor], 5).await;
    let at = |name: &str| {
        let (_, server) = office.world.servers.iter().find(|(known, _)| *known == name).unwrap();
        format!("http://{}", server.address())
    };
    let agency =
        |name, session: &str| Run { name, url: office.url.clone(), session: Some(session.to_owned()) };
    let issuer =
        |name, session: &str| Run { name, url: house.url.clone(), session: Some(session.to_owned()) };
    let runs = [
        agency("agency-requester", &asks.session),
        agency("agency-approver", &approves.session),
        agency("agency-auditor", &audits.session),
        agency("agency-operator", &operator.session),
        agency("agency-program", &office.world.node("agency").token().unwrap()),
        Run { name: "agency-public", url: office.url.clone(), session: None },
        issuer("issuer-registrar", &records.session),
        issuer("issuer-operator", &keeper.session),
        Run { name: "issuer-public", url: house.url.clone(), session: None },
        Run { name: "directory", url: at("directory"), session: None },
        Run { name: "witness", url: at("makers"), session: None },
    ];
    let mut failed = Vec::new();
    for run in runs {
        let (program, examples, name) = (program.clone(), examples.clone(), run.name);
        let output = tokio::task::spawn_blocking(move || send(&program, &run, &examples)).await.unwrap();
        let words = String::from_utf8_lossy(&output.stdout);
        let cases = words.lines().rev().find(|line| line.contains("generated")).unwrap_or("no summary");
        println!("{name}: {}", cases.trim());
        if !output.status.success() {
            println!("{words}{}", String::from_utf8_lossy(&output.stderr));
            failed.push(name);
        }
    }
    assert!(failed.is_empty(), "{failed:?}");
    // Requests were not only refused: a question was filed. The operator's run may have closed accounts since, so it is read
    // from the records.
    let mut filed = 0;
    let folder = office.world.path("agency").join("node");
    server::Ledger::records(&folder, |stored| filed += usize::from(stored.kind == "desk")).unwrap();
    println!("{filed} steps were made at the desk");
    assert!(filed > 0, "nothing that was made up was taken");
}

fn send(program: &str, run: &Run, examples: &str) -> Output {
    let mut command = Command::new(Path::new(program));
    command.args([
        "run",
        &format!("{}/openapi.json", run.url),
        "--checks",
        CHECKS,
        "--max-examples",
        examples,
    ]);
    command.args([
        "--phases",
        "examples,coverage,fuzzing",
        "--seed",
        "7",
        "--no-color",
        "--continue-on-failure",
    ]);
    command.args([
        "--suppress-health-check",
        "all",
        "--request-timeout",
        "120",
        "--wait-for-schema",
        "60",
        "--warnings",
        "off",
    ]);
    if let Some(session) = &run.session {
        // Signing out, and a wrong passkey, would end the run; both are in the runs without a session.
        command.args(["--header", &format!("Authorization: Bearer {session}")]);
        command.args(["--exclude-path", "/access/v1/session", "--exclude-path", "/access/v1/passkey"]);
    }
    // It keeps what it found beside where it runs.
    let folder = tempfile::tempdir().unwrap();
    command.current_dir(folder.path()).output().unwrap()
}
