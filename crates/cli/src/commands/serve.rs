//! `serve`: runs one node until it is told to stop.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;

use clap::Args;
use server::{DoorRules, Node, NodeRole, ServeOptions, Server, start_log};

use crate::exit::{Exit, Failure, OrExit as _};
use crate::files;

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The node's role, to make sure that it is what its folder says: issuer, agency, witness or directory.
    #[arg(long)]
    role: Option<NodeRole>,
    /// The node's folder, as `node init` made it.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Where to listen. Others reach the node under the address in its folder, so that a proxy may stand between.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8417")]
    listen: SocketAddr,
    /// A proxy stands before the node, so all connections come from one address: do not share them out by address, and slow nobody
    /// down by it. The proxy does both then.
    #[arg(long)]
    proxied: bool,
}

/// Runs the node. It ends in good order on Ctrl-C and SIGTERM.
pub(crate) fn serve(arguments: &Serve) -> Result<Exit, Failure> {
    let node = Node::open(&arguments.data).or_exit(Exit::BadInput, "cannot open the node")?;
    let role = node.config.role;
    if arguments.role.is_some_and(|wanted| wanted != role) {
        return Err(Exit::BadInput.because(format!("the folder holds a node of role {}", role.as_str())));
    }
    start_log();
    let listener = TcpListener::bind(arguments.listen);
    let listener = listener.or_exit(Exit::Environment, format!("cannot listen on {}", arguments.listen))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.or_exit(Exit::Environment, "cannot start")?.block_on(async {
        let mut options = ServeOptions::default();
        if arguments.proxied {
            options.door.per_address = DoorRules::PROXIED;
        }
        let server = Server::start(&arguments.data, listener, options).await;
        let server = server.or_exit(Exit::Environment, "cannot serve")?;
        let (name, address) = (&node.config.name, server.address());
        files::remark(format!("{} {name} listens on {address}", role.as_str()));
        if node.config.tls.is_none() && !address.ip().is_loopback() && !arguments.proxied {
            files::remark(
                "warning: without TLS, passwords, sessions and the node's token can be read on the way\nhint: `microstamp node \
                 certificate`; or listen on loopback behind a proxy that ends TLS; where one stands on another machine, say --proxied",
            );
        }
        told_to_stop().await.or_exit(Exit::Environment, "cannot wait for signals")?;
        server.stop().await;
        files::remark(format!("{name} stopped"));
        Ok(Exit::Done)
    })
}

async fn told_to_stop() -> std::io::Result<()> {
    #[cfg(unix)]
    {
        let mut ended = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            done = tokio::signal::ctrl_c() => done,
            _ = ended.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}
