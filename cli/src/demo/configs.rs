//! Config files of the demonstration's server, dispatcher and workers.

use super::fleet::{LABEL_NAME, Member, TERM, TOOLS};
use super::logins;

/// Returns the text of nats.conf; paths are relative to the directory the server runs in.
pub(crate) fn nats_conf() -> String {
    let authorization = logins::block();
    format!(
        "# nats-server of the demonstration: any free port, written into a file *.ports.\n\
         listen: \"127.0.0.1:-1\"\n\
         server_name: rolecast-demo\n\
         ports_file_dir: \".\"\n\
         jetstream {{\n  store_dir: \"jetstream\"\n  max_memory_store: 64MB\n  \
         max_file_store: 4GB\n}}\n{authorization}"
    )
}

/// Returns the text of rolecast.toml.
pub(crate) fn dispatcher_toml() -> String {
    // Short steps, because the demonstration ends within a minute.
    let mut text = format!(
        "name = \"demo\"\n\n\
         # Any free port, which the log names.\n[http]\nlisten = \"127.0.0.1:0\"\n\n[roles.leader]\nholders = 1\nfrom = \"backup\"\n\
         prefer = [\"oak\"]\ncost = {{ cpu = 0.2 }}\nchange_cost = \"2s\"\n\
         term = \"{}s\"\n[roles.backup]\nholders = 1\n[roles.follower]\n\n\
         [forecast]\nstep = \"1s\"\n",
        TERM.as_secs()
    );
    for tool in TOOLS {
        text.push_str(&format!(
            "\n[categories.{}]\nroles = [{}]\ncpu = {}\nmemory = \"16MiB\"\nduration = \"{}\"\n\
             max_attempts = 5\nretry_min = \"200ms\"\nretry_max = \"2s\"\n",
            tool.category,
            quoted(tool.roles),
            tool.cpu,
            tool.duration,
        ));
    }
    text
}

/// Returns the text of a worker.toml.
pub(crate) fn worker_toml(member: &Member) -> String {
    let Member { node, role, .. } = member;
    let roles = match *role {
        "follower" => "roles = [\"follower\"]",
        _ => "offers = [\"leader\", \"backup\"]\nstate_directory = \"state\"",
    };
    // Confined to one core on any machine; and labelled, so that a producer can require a
    // node.
    let mut text = format!(
        "node = \"{node}\"\n{roles}\n\
         # Four workers share this machine, so each reports its own processes.\n\
         usage_scope = \"process\"\nmax_jobs = 2\ngrace = \"2s\"\n\n\
         [labels]\n{LABEL_NAME} = \"{node}\"\n\n\
         [capacity]\ncpu = 1\nmemory = \"512MiB\"\n"
    );
    for tool in TOOLS {
        // Without a locale, because a piece of text may end within a character.
        text.push_str(&format!(
            "\n[categories.{}]\ncommand = [{}]\nenv = [\"PATH\"]\n\
             time_limit = \"30s\"\noutput_max = \"512KiB\"\n",
            tool.category,
            quoted(tool.command),
        ));
    }
    text
}

fn quoted(items: &[&str]) -> String {
    let items: Vec<String> = items.iter().map(|item| format!("\"{item}\"")).collect();
    items.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::fleet::FLEET;

    #[test]
    fn the_programs_read_the_configs() {
        let config = rolecast_dispatcher::config::parse(&dispatcher_toml(), "host");
        assert!(config.is_ok(), "{config:?}");
        for member in FLEET {
            let config = rolecast_worker::config::Config::read(&worker_toml(&member));
            assert!(config.is_ok(), "{config:?}");
        }
    }
}
