//! A machine on a bad day: whatever fails, ours reports it, exits with the right status and leaves
//! the expected table.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::lab::kernels::Kernel;
use crate::lab::runner::KernelTest;
use crate::lab::world::{Program, Side, World};

pub fn tests() -> Vec<KernelTest> {
    let mut tests = vec![
        KernelTest::new("bad_day::closed_files", closed_files),
        KernelTest::new("bad_day::hardly_any_descriptors", descriptors),
        KernelTest::new("bad_day::no_room", no_room),
        KernelTest::new("bad_day::output_that_does_not_block", nonblocking_output),
        KernelTest::new("bad_day::nothing_in_proc_or_etc", nothing_there),
        KernelTest::new("bad_day::odd_environments", environments),
        KernelTest::new("bad_day::signals", signals),
        KernelTest::new("bad_day::signals_while_the_table_is_replaced", late_signals),
        KernelTest::new("bad_day::no_name_server_answers", no_answer),
        KernelTest::new("bad_day::input_without_end", endless_input),
        KernelTest::new("bad_day::odd_files", odd_files),
        KernelTest::new("bad_day::input_that_does_not_block", slow_input),
        KernelTest::new("bad_day::a_hostile_interface", hostile_interface),
    ];
    // Tests that do not depend on the kernel run on the fastest one.
    for test in &mut tests[2..] {
        test.kernels = vec![Kernel::V7_2];
    }
    tests
}

/// The start of every script: `try` runs our program and prints its status, `ended` prints that of
/// a background program. The shell's own messages, such as "Hangup", are not part of the output.
const PRELUDE: &str = "\
exec 2>&1
cd $(mktemp -d)
ln -s $(command -v ipvsadm) ipvsadm-save; ln -s ipvsadm-save ipvsadm-restore
try() { ipvsadm \"$@\"; echo \"$? of $*\"; }
ended() { wait $1 2>/dev/null; echo \"$? of $2\"; }
";

/// Runs a script and compares both of its output streams together.
fn expect(world: &mut World, script: &str, expected: &str) -> Result<()> {
    let namespace = world.namespace("director")?;
    let program = Program::shell(Side::Ours, &format!("{PRELUDE}{script}"));
    let output = namespace.run(&program.limit(Duration::from_secs(60)))?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(said == expected, "it gave\n{output}instead of\n{expected}");
    Ok(())
}

/// A file opened later must not be mistaken for a standard stream.
fn closed_files(world: &mut World) -> Result<()> {
    let script = "\
echo '-A -t 10.0.0.2:80 -s rr' >rules
for close in '' '>&-' '2>&-' '>&- 2>&-'; do
    for input in '<rules' '<&-'; do
        ipvsadm -C
        statuses=
        for words in -R '-A -t 10.0.0.1:80 -s rr' '-A -t 10.0.0.1:80' '-q' '-Sn' '-h' '-Lnc'; do
            eval \"ipvsadm $words $input >said 2>said $close\"
            statuses=\"$statuses $?\"
        done
        ipvsadm -Sn >table
        echo \"$input $close:$statuses, $(wc -l <table) services\"
    done
done
ipvsadm -R <&-
ipvsadm -h >&-
ipvsadm -Sn >&-
ipvsadm -L -c >&-";
    let expected = "\
<rules : 0 0 255 255 0 0 0, 2 services
<&- : 1 0 255 255 0 0 0, 1 services
<rules >&-: 0 0 255 255 1 1 1, 2 services
<&- >&-: 1 0 255 255 1 1 1, 1 services
<rules 2>&-: 0 0 255 255 0 0 0, 2 services
<&- 2>&-: 1 0 255 255 0 0 0, 1 services
<rules >&- 2>&-: 0 0 255 255 1 1 1, 2 services
<&- >&- 2>&-: 1 0 255 255 1 1 1, 1 services
cannot read: Bad file descriptor
cannot write: Bad file descriptor
cannot write: Bad file descriptor
cannot write: Bad file descriptor
";
    expect(world, script, expected)
}

/// Room for the standard streams only, then for the socket or a file too, then for both.
fn descriptors(world: &mut World) -> Result<()> {
    let script = "\
printf -- '-A -t 10.0.0.3:80 -s rr\n-Lnc\n-A -t 10.0.0.4:80 -s rr\n' >rules
# With three not even the C library can be loaded.
for most in 3 4 5; do
    ipvsadm -C
    ipvsadm -A -t 10.0.0.1:80 -s rr
    echo \"$most files\"
    (
        ulimit -n $most
        try -v
        try -A -t 10.0.0.2:80 -s rr
        try -Sn
        try -Lnc
    ) 2>&1 | sed 's/v1.31.*/v1.31/; /shared libraries/d'
    (exec <rules; ulimit -n $most; exec ipvsadm -R) >said 2>&1; echo \"$? of -R\"
    ipvsadm -Sn | wc -l
done";
    let works = "\
ipvsadm v1.31
0 of -v
0 of -A -t 10.0.0.2:80 -s rr
-A -t 10.0.0.1:80 -s rr
-A -t 10.0.0.2:80 -s rr
0 of -Sn
IPVS connection entries
pro expire state       source             virtual            destination
0 of -Lnc
0 of -R
4
";
    let expected = format!(
        "\
3 files
127 of -v
127 of -A -t 10.0.0.2:80 -s rr
127 of -Sn
127 of -Lnc
127 of -R
1
4 files
{works}5 files
{works}"
    );
    expect(world, script, &expected)
}

fn no_room(world: &mut World) -> Result<()> {
    let script = "\
mkdir small; mount -t tmpfs -o size=4k none small
seq 200 | sed 's/.*/-A -t 10.0.0.1:& -s rr/' | ipvsadm -R
ipvsadm -Sn >small/saved; echo $?; wc -c <small/saved
./ipvsadm-save -n >small/saved; echo $?
umount small
ipvsadm -q 2>/dev/full; echo $?
ipvsadm -A -t 10.0.0.1:1 2>/dev/full; echo $?
ipvsadm -L >/dev/full 2>&1; echo $?
ipvsadm -h >/dev/full; echo $?
ipvsadm -Sn >/proc/self/mem; echo $?
ipvsadm -R </proc/self/mem; echo $?
printf -- '-A -f 1\\n-q\\n-A -f 2\\n' | ipvsadm -R 2>/dev/full; echo $?
ipvsadm -Sn | wc -l";
    let expected = "\
cannot write: No space left on device
1
4096
cannot write: No space left on device
1
255
255
1
cannot write: No space left on device
1
cannot write: Input/output error
1
cannot read: Input/output error
1
255
201
";
    expect(world, script, expected)
}

/// A parent process may pass on a non-blocking pipe, which refuses what it has no room for.
fn nonblocking_output(world: &mut World) -> Result<()> {
    let script = r#"
cat >through.pl <<'END'
# Runs a command with a pipe in place of a standard file, a full one that does not block, and
# shows what arrives there: at once, or for a reader that takes its time.
my ($pause, $stream, @command) = @ARGV;
pipe R, W; fcntl W, 1031, 4096; fcntl W, 4, 1 | 2048;
syswrite W, "x" x 4096;
if (!($pid = fork)) { open $stream == 1 ? STDOUT : STDERR, ">&W"; close R; close W; exec @command }
close W; select undef, undef, undef, $pause;
kill $ENV{SIGNAL}, $pid if $ENV{SIGNAL};
close R if $ENV{GOES_AWAY};
sysread R, $text, 4096;
while (sysread R, $text, 65536) { print $text; select undef, undef, undef, $pause / 100 }
waitpid $pid, 0; exit($? >> 8 || $? & 127);
END
arrives() {
    stream=$1; shift
    eval "\"\$@\" $stream>whole"; wanted=$?
    for pause in 0 0.3; do
        perl through.pl $pause $stream "$@" >arrived; status=$?
        cmp whole arrived && test $status = $wanted || echo "$status of $*"
    done
    lines="$lines $(wc -l <whole)"
}
seq 8000 | sed 's/.*/-A -t 10.0.0.1:& -s rr/' >rules
ipvsadm -R <rules
for words in -Ln -Sn '-Ln --stats --exact' '-L --format json' '-Ln --format table'; do
    arrives 1 ipvsadm $words
done
mkdir -p proc/net
{ echo title; seq -f 'UDP 0A010103 %g 0A010101 13C4 0A010102 13C4 UDP 100' 1000 8999; } >proc/net/ip_vs_conn
echo 'mount --bind proc /proc; exec ipvsadm "$@"' >connections.sh
for words in -Lnc '-Lnc --format json' '-Lnc --format table'; do
    arrives 1 unshare -m sh connections.sh $words
done
echo "$lines lines"
arrives 1 ipvsadm -h
arrives 1 sh -c "printf '%s\0' -A -- | ipvsadm --complete-words"
arrives 2 ipvsadm -q
arrives 2 sh -c 'head -n 500 rules | ipvsadm -R'
SIGNAL=TERM perl through.pl 0.3 1 ipvsadm -Sn; echo $?
GOES_AWAY=1 perl through.pl 0.3 1 ipvsadm -Sn; echo $?
"#;
    let expected = " 8003 8000 8003 8002 8002 8002 8002 8002 lines\n15\n13\n";
    expect(world, script, expected)
}

fn nothing_there(world: &mut World) -> Result<()> {
    let script = "\
try -A -t 10.0.0.1:http -s rr
cat >without <<'END'
try() { ipvsadm \"$@\"; echo \"$? of $*\"; }
mount -t tmpfs none $1
ipvsadm -L -t 10.0.0.1:80 | tail -n 1
try -Sn
try -Lc
try -A -t 10.0.0.2:http -s rr
try -A -t localhost:81 -s rr
# No name server is missed where nothing is a name.
try -A -t 10.0.0.3x:80
try -A -t [fe80::1%lo]:80
try -A -t 10.0.0.3:80 -p 9 -M 64x
echo '-A -t [2001:db8::1]:80 -p 9 -M nobody.example' | ipvsadm -R
printf -- '-A -M 64.example -t [2001:db8::1]:80 -p 9\nx\n' | ipvsadm -R
ipvsadm -D -t [2001:db8::1]:80
try -A -t 10.0.0.2:82 -s rr
try -D -t 10.0.0.2:82
printf '%s\\0' -D -t 10.0.0.1 | ipvsadm --complete-words
END
for place in /proc /etc; do
    echo $place
    unshare -m sh without $place
done";
    let expected = "\
0 of -A -t 10.0.0.1:http -s rr
/proc
TCP  10.0.0.1:http rr
-A -t 10.0.0.1:80 -s rr
0 of -Sn
cannot open file /proc/net/ip_vs_conn
1 of -Lc
0 of -A -t 10.0.0.2:http -s rr
0 of -A -t localhost:81 -s rr
illegal virtual server address[:port] specified
2 of -A -t 10.0.0.3x:80
illegal virtual server address[:port] specified
2 of -A -t [fe80::1%lo]:80
illegal virtual server persistent mask specified
2 of -A -t 10.0.0.3:80 -p 9 -M 64x
line 1: illegal ipv6 netmask specified
line 2: the first option must be a command
0 of -A -t 10.0.0.2:82 -s rr
0 of -D -t 10.0.0.2:82
/etc
TCP  10.0.0.1:80 rr
-A -t 10.0.0.1:80 -s rr
-A -t 10.0.0.2:80 -s rr
-A -t 127.0.0.1:81 -s rr
0 of -Sn
IPVS connection entries
pro expire state       source             virtual            destination
0 of -Lc
illegal virtual server address[:port] specified
2 of -A -t 10.0.0.2:http -s rr
no name server answered
illegal virtual server address[:port] specified
2 of -A -t localhost:81 -s rr
illegal virtual server address[:port] specified
2 of -A -t 10.0.0.3x:80
illegal virtual server address[:port] specified
2 of -A -t [fe80::1%lo]:80
illegal virtual server persistent mask specified
2 of -A -t 10.0.0.3:80 -p 9 -M 64x
line 1: illegal ipv6 netmask specified
line 2: the first option must be a command
0 of -A -t 10.0.0.2:82 -s rr
0 of -D -t 10.0.0.2:82
10.0.0.1:80\trr, 0 servers
";
    expect(world, script, expected)
}

fn environments(world: &mut World) -> Result<()> {
    let script = "\
ipvsadm -A -t 10.0.0.1:80 -s rr -p 1234
ipvsadm=$(command -v ipvsadm)
env -i $ipvsadm -Ln >plain; env -i $ipvsadm -q 2>plain-error
long=$(printf '%0100000d' 0)
for setting in LC_ALL=de_DE.UTF-8 LC_ALL=nonsense LANG=ja_JP.SJIS LC_NUMERIC=de_DE LANGUAGE=de \\
    TZ=Nowhere/None TERM= TERM=nonsense COLUMNS=1 COLUMNS=x LINES=-1 POSIXLY_CORRECT=1 HOME= PATH= \\
    RUST_BACKTRACE=full RUST_LOG=trace RUST_MIN_STACK=1 LD_BIND_NOW=1 MALLOC_ARENA_MAX=0 \\
    CLICOLOR_FORCE=1 NO_COLOR=1 RES_OPTIONS=nonsense HOSTALIASES=/nowhere =x \\
    COMPLETE=bash IPVSADM_COMPLETE= IPVSADM_COMPLETE=1 \\
    \"LONG=$long\" \"$(printf 'BYTES=\\377\\200\\033[2J')\"; do
    env -i \"$setting\" $ipvsadm -Ln | cmp - plain || echo \"with $setting\"
    env -i \"$setting\" $ipvsadm -q 2>&1 >/dev/null | cmp - plain-error || echo \"with $setting\"
done
wc -l <plain
IPVSADM_COMPLETE=1 ipvsadm -C; ipvsadm -Sn";
    expect(world, script, "4\n")
}

/// Complete lines are run, half a line is not.
fn signals(world: &mut World) -> Result<()> {
    let script = "\
mkfifo rules
for signal in INT TERM HUP; do
    ipvsadm -C
    env --default-signal=INT ipvsadm -R <rules & restore=$!
    exec 3>rules
    echo '-A -f 1 -s rr' >&3
    until ipvsadm -Sn | grep -q 'f 1'; do :; done
    kill -STOP $restore; kill -CONT $restore
    echo '-A -f 2 -s rr' >&3
    until ipvsadm -Sn | grep -q 'f 2'; do :; done
    printf -- '-A -f 3' >&3
    kill -$signal $restore; ended $restore $signal
    exec 3>&-
    ipvsadm -Sn
done";
    let left = "-A -f 1 -s rr\n-A -f 2 -s rr\n";
    let expected = [130, 143, 129]
        .iter()
        .zip(["INT", "TERM", "HUP"])
        .map(|(status, signal)| format!("{status} of {signal}\n{left}"));
    expect(world, script, &expected.collect::<String>())
}

/// The listings do not fit the pipe, so signals arrive when half of the file is done.
fn late_signals(world: &mut World) -> Result<()> {
    let script = "\
{ seq 8000 | sed 's/.*/-A -f & -s rr/'; echo -Sn; echo -A -f 8001 -s rr; } >rules
mkfifo listing
for signal in INT TERM HUP; do
    ipvsadm -C
    env --default-signal=INT ./ipvsadm-restore rules >listing & restore=$!
    exec 3<listing
    read first <&3
    kill -$signal $restore
    cat <&3 >/dev/null; ended $restore $signal
    exec 3<&-
    ipvsadm -Sn | wc -l
done
ipvsadm -C
./ipvsadm-restore rules | head -n 1; ipvsadm -Sn | wc -l";
    let expected = "\
130 of INT
8001
143 of TERM
8001
129 of HUP
8001
-A -f 1 -s rr
8001
";
    expect(world, script, expected)
}

fn no_answer(world: &mut World) -> Result<()> {
    let script = "\
ip link add slow type dummy; ip addr add 10.8.8.1/24 dev slow; ip link set slow up
ip neigh add 10.8.8.8 lladdr 02:00:00:00:00:08 dev slow
cat >slow <<'END'
printf 'nameserver 10.8.8.8\\noptions timeout:4 attempts:1\\n' >resolv.conf
echo hosts: dns >nsswitch.conf
mount --bind resolv.conf /etc/resolv.conf
mount --bind nsswitch.conf /etc/nsswitch.conf
seq 1000 | sed 's/.*/-A -t n&.example.net:80/' | timeout 40 ./ipvsadm-restore >said 2>&1; echo $?
grep -c illegal said; grep -c 'no name server' said; head -n 2 said
END
unshare -m sh slow";
    let expected = "\
2
1000
2
no name server answered
line 1: illegal virtual server address[:port] specified
";
    expect(world, script, expected)
}

fn endless_input(world: &mut World) -> Result<()> {
    let script = "\
yes '# of such lines there are very many, and in the end one that is not' | head -c 64M >many
many=$(yes many | head -n 16)
{
    ulimit -v 200000
    { cat $many; printf '\\n-A -f 8 -s rr\\n'; } | ipvsadm -R; echo $?
    truncate -s 1G nothing
    ipvsadm -R <nothing; echo $?
    ./ipvsadm-restore <nothing; echo $?
    yes '#' | ./ipvsadm-restore; echo $?
    yes | ipvsadm --complete-words; echo $?
    ipvsadm -Sn
}";
    let expected = "\
0
cannot read: line 1 is longer than 16 MiB
1
cannot read: line 1 is longer than 16 MiB
1
more than 1000000 lines
2
0
-A -f 8 -s rr
";
    expect(world, script, expected)
}

/// Whatever the file is, the table either matches it or is unchanged.
fn odd_files(world: &mut World) -> Result<()> {
    let script = r#"
echo '-A -f 1 -s rr' | ipvsadm -R
reads() { ipvsadm "$@"; echo "$? of $*"; }
truncate -s 1G nothing
printf -- '-A -t 10.0.0.\351:80\n# \377 is no letter\n-A -f 2 \0\n-A -f 3 -s \303\n' >bytes
for file in gone . /dev/null nothing /dev/zero bytes; do
    reads --check $file
    reads --apply $file
done
seq 1100000 | sed 's/.*/-A -f &/' >many
(ulimit -v 600000; reads --apply many)
rm many
(ulimit -v 200000; yes '#' | reads --check)
ipvsadm -Sn
mkfifo pipe
echo '-A -f 2 -s rr' >pipe & reads --diff pipe
echo '-A -f 2 -s rr' >pipe & reads --apply pipe
ipvsadm -Sn
echo '-A -f 3 -s rr' >removed
exec 3<removed; rm removed
reads --apply /dev/fd/3
ipvsadm -Sn
"#;
    let expected = "\
cannot read gone: No such file or directory
2 of --check gone
cannot read gone: No such file or directory
2 of --apply gone
cannot read .: Is a directory
2 of --check .
cannot read .: Is a directory
2 of --apply .
0 of --check /dev/null
the file has no service and would empty the table; if that is meant, begin it with -C
2 of --apply /dev/null
cannot read nothing: line 1 is longer than 16 MiB
2 of --check nothing
cannot read nothing: line 1 is longer than 16 MiB
2 of --apply nothing
cannot read /dev/zero: line 1 is longer than 16 MiB
2 of --check /dev/zero
cannot read /dev/zero: line 1 is longer than 16 MiB
2 of --apply /dev/zero
line 1: illegal virtual server address[:port] specified
line 3: a NUL byte in the line
2 of --check bytes
line 1: illegal virtual server address[:port] specified
line 3: a NUL byte in the line
2 of --apply bytes
more than 1000000 lines
2 of --apply many
more than 1000000 lines
2 of --check
-A -f 1 -s rr
-A -f 2 -s rr
-D -f 1
1 of --diff pipe
0 of --apply pipe
-A -f 2 -s rr
0 of --apply /dev/fd/3
-A -f 3 -s rr
";
    expect(world, script, expected)
}

/// A parent process may pass on a non-blocking pipe as standard input.
fn slow_input(world: &mut World) -> Result<()> {
    let script = "\
nonblocking() { perl -MFcntl -e 'fcntl(STDIN, F_SETFL, O_NONBLOCK) or die; exec @ARGV' \"$@\"; }
{ sleep 0.3; echo '-A -f 1 -s rr'; sleep 0.3; echo '-A -f 2 -s rr'; } | nonblocking ipvsadm -R; echo $?
ipvsadm -Sn
{ sleep 0.3; echo '-A -f 3 -s rr'; sleep 0.3; } | nonblocking ./ipvsadm-restore; echo $?
ipvsadm -Sn";
    let expected = "\
0
-A -f 1 -s rr
-A -f 2 -s rr
0
-A -f 3 -s rr
";
    expect(world, script, expected)
}

/// An interface name may contain the escape sequence that clears a screen.
fn hostile_interface(world: &mut World) -> Result<()> {
    let script = "\
name=$(printf 'e\\033[2J')
ip link add name \"$name\" type dummy; ip link set \"$name\" up
ipvsadm --start-daemon backup --mcast-interface \"$name\"
ipvsadm -L --daemon | cat -v
mkdir -p /dev/pts
unshare -m sh -c 'mount -t devpts none /dev/pts; exec script -qec \"ipvsadm -L --daemon\" /dev/null' | tr -d '\\r' | cat -v";
    let expected = "\
backup sync daemon (mcast=e^[[2J, syncid=0, maxlen=1472, group=224.0.0.81, port=8848, ttl=1)
backup sync daemon (mcast=e?[2J, syncid=0, maxlen=1472, group=224.0.0.81, port=8848, ttl=1)
";
    expect(world, script, expected)
}
