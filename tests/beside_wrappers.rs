//! Beside compiler caches and distributed compiles, with their real daemons on loopback: what is recorded, and where.
//!
//! lpcc stands above them: the object that comes back, from a cache or another host, is the object that is recorded, here,
//! by the machine that asked for it. Below them it sees what they choose to run: on a hit nothing at all.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says by a panic what went wrong; clippy exempts only what stands under #[test]"
)]

mod kit;

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use kit::{LPCC, Place, have, is_root, path_with, run, skip};

const SOURCE: &str = "#include <stdio.h>\nint f(int x) { return x * 3 + printf(\"a\"); }\n";
const CALL: [&str; 6] = ["-O2", "-g", "-c", "t.c", "-o", "t.o"];

/// Installed by scripts/setup: there is no reason to do without, where tests may not be skipped.
fn missing(programs: &[&str]) -> bool {
    let missing: Vec<_> = programs.iter().filter(|program| !have(program)).collect();
    if !missing.is_empty() {
        skip(&format!("no {missing:?}; scripts/setup installs them"));
    }
    !missing.is_empty()
}

/// A daemon of this test, ended by its id.
struct Daemon(Child);

impl Daemon {
    fn start(command: &mut Command, log: &Path) -> Self {
        let log = File::create(log).unwrap();
        Self(command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // SIGTERM first: what the daemon started ends with it.
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let ended = until(Duration::from_secs(3), || self.0.try_wait().ok().flatten().is_some());
        if !ended {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}

/// Ports that nobody listened on a moment ago.
fn ports<const N: usize>() -> [u16; N] {
    let all = [(); N].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    all.map(|listener| listener.local_addr().unwrap().port())
}

fn until(limit: Duration, mut done: impl FnMut() -> bool) -> bool {
    let began = Instant::now();
    while began.elapsed() < limit {
        if done() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    false
}

/// Waits for somebody to listen on the port; asks the system, because a daemon may not like to be called for nothing.
fn listening(port: u16) -> bool {
    let listens = |table: &str| {
        fs::read_to_string(table).is_ok_and(|text| {
            text.lines().any(|line| {
                let mut fields = line.split_whitespace().skip(1);
                let here = fields.next().is_some_and(|local| local.ends_with(&format!(":{port:04X}")));
                here && fields.nth(1) == Some("0A")
            })
        })
    };
    until(Duration::from_secs(20), || ["/proc/net/tcp", "/proc/net/tcp6"].into_iter().any(listens))
}

/// A tree whose place others may enter: daemons run as users of their own.
fn place() -> Place {
    let place = Place::of(&[("t.c", SOURCE)]);
    fs::set_permissions(place.beside("."), fs::Permissions::from_mode(0o755)).unwrap();
    place
}

/// Runs the launcher bare and below lpcc; the objects must agree, and the record must be of that object, with the launcher
/// and the compiler behind it.
fn recorded_above(place: &Place, launcher: &str, environment: &[(&str, String)]) {
    let object = place.tree().join("t.o");
    let call = |command: &mut Command| {
        let _ = fs::remove_file(&object);
        let envs = environment.iter().map(|(name, value)| (*name, value.as_str()));
        let output = run(command.envs(envs).env("HOME", place.beside("home")), None);
        assert!(output.status.success(), "{launcher}: {output:?}");
        fs::read(&object).unwrap()
    };
    let bare = call(place.command(launcher).arg("gcc").args(CALL));
    for round in 0..2 {
        let ours = call(place.lpcc().args([launcher, "gcc"]).args(CALL));
        assert!(ours == bare, "{launcher}: another object, round {round}");
        let records = place.records();
        let record = &records[0];
        assert_eq!(records.len(), 1, "{launcher}");
        assert_eq!(record.variants[0].hash, lpcc::object::Hash::of(&ours), "{launcher}: the object's record");
        assert!(record.call.launchers[0].ends_with(launcher.as_bytes()), "{:?}", record.call.launchers);
        assert!(record.compiler.path.ends_with(b"/gcc"), "{}", record.compiler.path);
    }
}

#[test]
fn distcc() {
    if missing(&["distcc", "distccd"]) {
        return;
    }
    let place = place();
    let [port] = ports();
    let log = place.beside("distccd.log");
    let mut command = place.command("distccd");
    command.args([
        "--no-detach",
        "--daemon",
        "--listen",
        "127.0.0.1",
        "--allow",
        "127.0.0.1",
        "--log-stderr",
    ]);
    command.args(["--log-level", "info", "--jobs", "1", "--user", "nobody", "--port", &port.to_string()]);
    let _daemon = Daemon::start(&mut command, &log);
    assert!(listening(port), "distccd: {}", fs::read_to_string(&log).unwrap());
    fs::create_dir(place.beside("distcc")).unwrap();
    let environment = [
        ("DISTCC_HOSTS", format!("127.0.0.1:{port}")),
        ("DISTCC_FALLBACK", "0".to_owned()),
        ("DISTCC_DIR", place.beside("distcc").display().to_string()),
    ];
    recorded_above(&place, "distcc", &environment);
    let told = fs::read_to_string(&log).unwrap();
    assert_eq!(told.matches("COMPILE_OK").count(), 3, "all were compiled by the daemon: {told}");

    // The other way round: with a shim on PATH, distcc runs it for the preprocessor alone. The compile is the daemon's.
    fs::remove_dir_all(place.store()).unwrap();
    let mut below = place.command("distcc");
    let shims = place.shim("gcc");
    below.env("PATH", path_with(&[&shims])).arg("gcc").args(CALL);
    below.envs(environment.iter().map(|(name, value)| (*name, value.as_str())));
    assert!(run(&mut below, None).status.success());
    assert_eq!(place.records().len(), 0, "nothing was compiled here");
}

#[test]
fn icecc() {
    if missing(&["icecc"]) || !Path::new("/usr/sbin/iceccd").exists() {
        return;
    }
    if !is_root() {
        return skip("icecc's daemon compiles in a chroot, which only root may enter");
    }
    let place = place();
    // The scheduler takes the port after its own too.
    let [scheduler, local, remote] = ports();
    let scheduler_log = place.beside("scheduler.log");
    let mut command = place.command("/usr/sbin/icecc-scheduler");
    command.args(["-n", "lpcc-test", "-p", &scheduler.to_string()]);
    let _scheduler = Daemon::start(&mut command, &scheduler_log);
    assert!(listening(scheduler), "{}", fs::read_to_string(&scheduler_log).unwrap());
    let daemon = |name: &str, port: u16, more: &[&str]| {
        let base = place.beside(name);
        fs::create_dir(&base).unwrap();
        assert!(Command::new("chown").arg("icecc").arg(&base).status().unwrap().success());
        let mut command = place.command("/usr/sbin/iceccd");
        command.args(["-n", "lpcc-test", "-m", "2", "-vv", "-N", name, "-p", &port.to_string()]);
        command.args(["-s", &format!("127.0.0.1:{scheduler}"), "-b"]).arg(&base).args(more);
        command.env("ICECC_TEST_SOCKET", place.beside("run").join(name));
        Daemon::start(&mut command, &place.beside(&format!("{name}.log")))
    };
    fs::create_dir(place.beside("run")).unwrap();
    fs::set_permissions(place.beside("run"), fs::Permissions::from_mode(0o777)).unwrap();
    let _local = daemon("local", local, &["--no-remote"]);
    let _remote = daemon("remote", remote, &[]);
    // What the remote side compiles with. Made once, small: only this compiler.
    place.shell("mkdir ../environment && cd ../environment && ICECC_ENV_COMPRESSION=none icecc --build-native gcc >../native.log 2>&1");
    let made = fs::read_dir(place.beside("environment")).unwrap().next().unwrap().unwrap().path();
    let log = |name: &str| fs::read_to_string(place.beside(&format!("{name}.log"))).unwrap();
    let connected = until(Duration::from_secs(30), || {
        ["local", "remote"].iter().all(|name| log(name).contains("Connected to scheduler"))
    });
    assert!(connected, "{}\n{}", log("local"), log("remote"));
    let environment = [
        ("ICECC_TEST_SOCKET", place.beside("run").join("local").display().to_string()),
        ("ICECC_TEST_REMOTEBUILD", "1".to_owned()),
        ("ICECC_PREFERRED_HOST", "remote".to_owned()),
        ("ICECC_VERSION", made.display().to_string()),
        ("ICECC_DEBUG", "debug".to_owned()),
        ("ICECC_LOGFILE", place.beside("client.log").display().to_string()),
    ];
    // The first compile sends the environment, and icecc's daemon has been seen to forget the job meanwhile, for minutes: so
    // that one is not measured, and tried again.
    let completed = || log("remote").matches("Remote compilation completed with exit code 0").count();
    let warm = (0..2).any(|_| {
        let mut warm = place.command("timeout");
        warm.args(["15", "icecc", "gcc", "-c", "t.c", "-o", "warm.o"]);
        warm.envs(environment.iter().map(|(name, value)| (*name, value.as_str())));
        run(&mut warm, None).status.success() && completed() > 0
    });
    if !warm {
        // Its daemon takes no job while others keep the processors busy. What is left to try is icecc without it.
        recorded_above(&place, "icecc", &[("ICECC", "disable".to_owned())]);
        return skip(&format!("icecc's daemon takes no job: {}\n{}", log("remote"), log("client")));
    }
    let before = completed();
    recorded_above(&place, "icecc", &environment);
    assert_eq!(
        completed() - before,
        3,
        "all were compiled by the daemon: {}\n{}",
        log("remote"),
        log("client")
    );
}

#[test]
fn sccache() {
    if missing(&["sccache"]) {
        return;
    }
    let place = place();
    let [port] = ports();
    let environment = [
        ("SCCACHE_DIR", place.beside("sccache").display().to_string()),
        ("SCCACHE_SERVER_PORT", port.to_string()),
        ("SCCACHE_IDLE_TIMEOUT", "60".to_owned()),
    ];
    let ask = |word: &str| {
        let mut command = place.command("sccache");
        command.arg(word).envs(environment.iter().map(|(name, value)| (*name, value.as_str())));
        String::from_utf8(run(command.env("HOME", place.beside("home")), None).stdout).unwrap()
    };
    recorded_above(&place, "sccache", &environment);
    let told = ask("--show-stats");
    let hits = told.lines().find(|line| line.starts_with("Cache hits  ")).unwrap();
    assert!(hits.ends_with(" 2"), "recorded from the cache too: {told}");

    // The other way round sccache takes lpcc for no compiler, caches nothing, and every compile is recorded.
    fs::remove_dir_all(place.store()).unwrap();
    let mut below = place.command("sccache");
    below
        .args([LPCC, "gcc"])
        .args(CALL)
        .envs(environment.iter().map(|(name, value)| (*name, value.as_str())));
    let output = run(below.env("HOME", place.beside("home")), None);
    ask("--stop-server");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(place.records().len(), 1);
}

#[test]
fn ccache() {
    if missing(&["ccache"]) {
        return;
    }
    let place = place();
    let environment = [("CCACHE_DIR", place.beside("ccache").display().to_string())];
    recorded_above(&place, "ccache", &environment);

    // The other way round, as a compiler that ccache finds on PATH: recorded where ccache compiles, and not on a hit.
    let shims = place.shim("gcc-12");
    let below = |store: &str| {
        let mut command = place.command("ccache");
        command
            .args(["gcc-12"])
            .args(CALL)
            .envs(environment.iter().map(|(name, value)| (*name, value.as_str())));
        command.env("PATH", path_with(&[&shims])).env("LPCC_STORE", place.beside(store));
        assert!(run(&mut command, None).status.success());
        lpcc::store::Store::open(&place.beside(store))
            .map_or(0, |store| lpcc::store::Recording::open(&store, None).unwrap().units().count())
    };
    assert_eq!(below("first"), 1, "a miss is compiled below, and recorded");
    assert_eq!(below("second"), 0, "a hit is compiled by nobody: why lpcc belongs above");
}
