//! Tests of the configuration as a whole.

use super::*;

#[test]
fn the_sample_is_a_configuration() {
    let config = Config::read(SAMPLE).unwrap();
    assert_eq!(config.roles, [Role::new("follower").unwrap()]);
    assert_eq!(config.labels.get("zone"), Some("eu-1"));
    assert_eq!(config.jobs_max, default_jobs_max(None));
    let compress = &config.categories[&Category::new("compress").unwrap()];
    assert_eq!(compress.limits.time_limit, Some(Duration::from_secs(300)));
    assert_eq!(compress.command.output_max, 768 * 1024);
    assert_eq!(compress.command.arguments, ["-c"]);
    assert!(compress.command.program.is_absolute());
}

#[test]
fn there_are_two_slots_for_each_core() {
    let jobs_max = |text: &str| {
        let text = format!("{text}\n[categories.a]\ncommand = [\"cat\"]\n");
        Config::read(&text).unwrap().jobs_max
    };
    assert_eq!(jobs_max("[capacity]\ncpu = 3"), 6);
    assert_eq!(jobs_max("[capacity]\ncpu = 0.25"), 1);
    assert_eq!(jobs_max("[capacity]\ncpu = 1.2"), 3);
    assert_eq!(jobs_max("[capacity]\ncpu = 4000"), JOBS_IN_HAND_MAX);
    let usable = usable_cores().unwrap();
    assert_eq!(jobs_max(""), default_jobs_max(Some(usable)));
}

#[test]
fn no_more_roles_and_categories_than_a_heartbeat_may_list() {
    let read = |offers: usize, categories: usize| {
        let offers: Vec<String> = (0..offers).map(|n| format!("\"r{n}\"")).collect();
        let categories = (0..categories).map(|n| format!("[categories.c{n}]\n"));
        let categories: String = categories
            .map(|head| head + "command = [\"cat\"]\n")
            .collect();
        let offers = offers.join(",");
        let text = format!("roles = [\"a\"]\noffers = [{offers}]\n{categories}");
        Config::read(&text)
            .map(drop)
            .map_err(|error| error.to_string())
    };
    assert_eq!(read(ROLES_MAX - 1, CATEGORIES_MAX), Ok(()));
    let error = read(ROLES_MAX, CATEGORIES_MAX + 1).unwrap_err();
    assert!(
        error.contains("offers: expected at most 64 roles"),
        "{error}"
    );
    assert!(
        error.contains("categories: expected at most 256"),
        "{error}"
    );
}

#[test]
fn what_the_sample_shows_as_a_comment_is_a_known_key() {
    let shown = SAMPLE.lines().map(|line| match line.strip_prefix("# ") {
        Some(setting) if setting.contains(" = ") => setting,
        Some(_) | None => line,
    });
    let is_text = |line: &&str| line.contains("host name") || line.contains("of this host");
    let text: Vec<&str> = shown.filter(|line| !is_text(line)).collect();
    Config::read(&text.join("\n")).unwrap();
}

#[test]
fn all_mistakes_are_told_at_once() {
    let text = "\
node = \"A B\"
roles = [\"a\", \"a\"]
usage_scope = \"moon\"
max_jobs = 2000
[capacity]
memory = \"0\"
[categories.a]
command = []
[categories.b]
command = [\"/nowhere/at/all\"]
output_max = \"1MiB\"
time_limit = \"0s\"
[categories.c]
command = [\"surely-no-such-program\"]
max_jobs = 0
env = [\"ROLECAST_X\", \"NATS_PASSWORD\"]
[categories.d]
comand = [\"cat\"]
directory = \"here\"
[categories.E]
command = [\"/etc/passwd\"]
[categories.f]
command = [\"cat\"]
run_as = \"surely-no-such-user\"
nice = 20
memory_max = \"1MiB\"
cpu_max = 0.001
";
    let error = Config::read(text).unwrap_err().to_string();
    for mistake in [
        "line 1: node: expected a node id",
        "line 2: roles: a is there twice",
        "line 3: usage_scope: expected \"host\"",
        "line 4: max_jobs: expected 1 to 1024",
        "line 6: capacity.memory: expected more than 0",
        "line 8: categories.a.command: empty",
        "line 10: categories.b.command: /nowhere/at/all does not exist",
        "line 11: categories.b.output_max: expected at most",
        "line 12: categories.b.time_limit: expected more than 0",
        "line 14: categories.c.command: no program \"surely-no-such-program\"",
        "line 15: categories.c.max_jobs: expected 1 to 1024",
        "line 16: categories.c.env: \"ROLECAST_X\" cannot be passed on",
        "line 17: categories.d.command: missing",
        "line 18: categories.d.comand: unknown key",
        "line 19: categories.d.directory: expected the absolute path",
        "line 20: categories.E: category \"E\" is not",
        "line 21: categories.E.command: /etc/passwd is not executable",
        "line 16: categories.c.env: NATS_PASSWORD is this worker's login",
        "line 24: categories.f.run_as: there is no user \"surely-no-such-user\"",
        "line 25: categories.f.nice: expected 0 to 19",
        "line 26: categories.f.memory_max: expected at least",
        "line 27: categories.f.cpu_max: expected at least 0.01",
    ] {
        assert!(error.contains(mistake), "{mistake:?} not in {error}");
    }
}

#[test]
fn jobs_run_as_the_categorys_user_else_as_the_workers_choice_else_as_itself() {
    let text = "\
run_as = \"nobody\"
[categories.a]
command = [\"cat\"]
env = [\"HOME\", \"PATH\"]
nice = 5
[categories.b]
command = [\"cat\"]
run_as = \"0\"
memory_max = \"256MiB\"
cpu_max = 1.5
";
    let config = Config::read(text).unwrap();
    let confinement = |category: &str| {
        let service = &config.categories[&Category::new(category).unwrap()];
        let confinement = service.command.confinement.clone();
        (confinement.unwrap(), service.command.environment.clone())
    };
    let own = surroundings::own_uid();
    let (a, environment) = confinement("a");
    let nobody = surroundings::find_user("nobody").unwrap();
    assert!(nobody.groups.contains(&nobody.gid));
    let home = environment.iter().find(|(name, _)| name == "HOME");
    assert_eq!(home.unwrap().1, nobody.home.clone().into_os_string());
    assert_eq!((a.user, a.nice), (Some(nobody).filter(|_| own == 0), 5));
    let (b, _) = confinement("b");
    assert_eq!(b.user.map(|user| user.uid), (own != 0).then_some(0));
    assert_eq!(b.limits.memory_max, Some(Bytes::from_mib(256)));
    assert_eq!(b.limits.cpu_max, Cores::new(1.5).ok());
}

#[test]
fn a_command_that_is_one_text_is_an_error_that_shows_what_to_write() {
    let text = "[categories.a]\ncommand = \"wc -w\"\n";
    let error = Config::read(text).unwrap_err().to_string();
    let expected = "line 2: categories.a.command: expected a list with the program and each \
             argument in quotes, such as [\"wc\", \"-w\"]";
    assert!(error.contains(expected), "{error}");
    assert!(error.starts_with("1 mistake "), "{error}");
}

#[test]
fn a_state_directory_may_be_below_the_home() {
    let read = |directory: &str| {
        let text =
            format!("state_directory = \"{directory}\"\n[categories.a]\ncommand = [\"cat\"]\n");
        Config::read(&text)
    };
    let home = surroundings::variables(["HOME".to_owned()]).remove(0).1;
    let home = PathBuf::from(home);
    let found = read("~/x").unwrap().state_directory;
    assert_eq!(found, Some(home.join("x")));
    assert_eq!(read("~").unwrap().state_directory, Some(home));
    let error = read("~root/x").unwrap_err().to_string();
    let expected = "line 1: state_directory: ~root is not expanded; write the whole path";
    assert!(error.contains(expected), "{error}");
}

#[test]
fn labels_and_speed_are_checked() {
    let text = "\
speed = 50
[labels]
Zone = \"eu\"
gpu = 1
\"disk.kind\" = \"a,b\"
[categories.a]
command = [\"cat\"]
";
    let error = Config::read(text).unwrap_err().to_string();
    for mistake in [
        "line 1: speed: expected a number from 0.05 to 20",
        "line 3: labels.Zone: label name \"Zone\" is not",
        "line 4: labels.gpu: expected text in quotes",
        "line 5: labels.disk.kind: label value \"a,b\" is not",
    ] {
        assert!(error.contains(mistake), "{mistake:?} not in {error}");
    }
}

#[test]
fn a_worker_without_categories_is_a_mistake() {
    let error = Config::read("node = \"n1\"").unwrap_err().to_string();
    assert!(
        error.contains("at least one [categories.<name>]"),
        "{error}"
    );
}

#[test]
fn a_category_cannot_have_more_jobs_than_the_worker() {
    let text = "max_jobs = 2\n[categories.a]\ncommand = [\"cat\"]\nmax_jobs = 3\n";
    let error = Config::read(text).unwrap_err().to_string();
    assert!(
        error.contains("line 4: categories.a.max_jobs: 3 is above"),
        "{error}"
    );
}
