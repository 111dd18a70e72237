"""What the rigs of real servers share: getting the server without installing it, a world of its own
to run it in, the log that it writes, a destination that answers as told, and the mail to send.

Standard library only. Nothing of the machine is changed: packages are only downloaded and unpacked
(a server that is installed stays), and the server runs in namespaces of its own, where /etc is a
copy, /dev/log is ours, the network is a loopback device, and process numbers begin at 1.
"""
import argparse, base64, fcntl, glob, json, os, random, re, shutil, signal, smtplib, socket
import socketserver, struct, subprocess, sys, threading, time
from datetime import datetime, timezone

HOST = "mx1.hosted.example"
LOCAL_DOMAINS = ("hosted.example", "shop.example")


# What to run, and where.

def arguments(description):
    """The options that all rigs have."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("outdir", help="gets mail.log and truth.jsonl")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--messages", type=int, default=200)
    parser.add_argument("--cache", default=os.path.expanduser("~/.cache/postern-rigs"),
                        help="where the unpacked packages are kept")
    return parser


def capture(*command):
    return subprocess.run(command, capture_output=True, text=True).stdout


def apt_options(cache, release):
    """Options that make apt-get ask for another release of Debian than the machine's."""
    if release is None:
        return ["-o", "APT::Sandbox::User=root"]
    folder = os.path.join(cache, "apt-" + release)
    os.makedirs(folder + "/lists/partial", exist_ok=True)
    os.makedirs(folder + "/cache/archives/partial", exist_ok=True)
    write(folder + "/sources", "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] "
          f"http://deb.debian.org/debian {release} main\n")
    settings = {"Dir::Etc::SourceList": folder + "/sources", "Dir::Etc::SourceParts": "/dev/null",
                "Dir::State::Lists": folder + "/lists", "Dir::Cache": folder + "/cache",
                "APT::Sandbox::User": "root"}
    return [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]


def fetch(packages, cache, release=None):
    """Downloads and unpacks packages and the libraries that they need; gives the folder.

    release: of Debian; None for the machine's own, whose installed libraries are used.
    """
    root = os.path.join(cache, "-".join([release or "own", *packages]))
    os.makedirs(cache, exist_ok=True)
    with open(root + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # rigs may share the cache
        if not os.path.exists(root + "/complete"):
            unpack(packages, cache, release, root)
    return root


def unpack(packages, cache, release, root):
    shutil.rmtree(root, ignore_errors=True)
    debs = root + "/debs"
    os.makedirs(debs)
    options = apt_options(cache, release)
    if not capture("apt-cache", *options, "show", packages[0]):
        subprocess.run(["apt-get", *options, "update", "-qq"], check=True)
    tree = capture("apt-cache", *options, "depends", "--recurse", "--no-recommends",
                   "--no-suggests", "--no-conflicts", "--no-breaks", "--no-replaces",
                   "--no-enhances", *packages)
    needed = {name for name in tree.split("\n") if name.startswith("lib")}
    # What is older than the machine's C library runs with that; what is newer brings its own.
    if release not in NEWER_RELEASES:
        needed -= set(re.findall(r"^(\S+) installed$", capture(
            "dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n"), re.M))
    for name in sorted(needed | set(packages)):
        done = subprocess.run(["apt-get", "download", "-qq", *options, name], cwd=debs,
                              capture_output=True, text=True)
        if done.returncode and name in packages:
            sys.exit(f"apt-get download {name}: {done.stderr}")
    for deb in glob.glob(debs + "/*.deb"):
        subprocess.run(["dpkg", "-x", deb, root], check=True)
    shutil.rmtree(debs)
    # A program that would run with another group is given no LD_LIBRARY_PATH.
    for folder, _, files in os.walk(root):
        for name in files:
            path = os.path.join(folder, name)
            if not os.path.islink(path) and os.stat(path).st_mode & 0o6000:
                os.chmod(path, 0o755)
    open(root + "/complete", "w").close()


# Releases whose programs may need a newer C library than the machine has.
NEWER_RELEASES = ("trixie",)


def libraries(root):
    return ":".join(glob.glob(root + "/lib/*-linux-gnu") + glob.glob(root + "/usr/lib/*-linux-gnu"))


def environment(root):
    """The environment in which a program of the unpacked packages runs."""
    return dict(os.environ, TZ="UTC", LC_ALL="C", LD_LIBRARY_PATH=libraries(root),
                PATH=root + "/usr/bin:" + root + "/usr/sbin:" + os.environ["PATH"])


def wrapped(root, program, path):
    """Writes a script that runs an unpacked program with its own libraries, under its own name."""
    program = root + program
    loaders = glob.glob(root + "/lib64/ld-linux-*") + glob.glob(root + "/usr/lib64/ld-linux-*")
    loaders += glob.glob(root + "/usr/lib/*-linux-gnu/ld-linux-*")
    if loaders:
        command = f'exec {loaders[0]} --library-path {libraries(root)} --argv0 "$0" {program} "$@"'
    else:
        command = (f'export LD_LIBRARY_PATH={libraries(root)}\n'
                   f'exec /bin/bash -c \'exec -a "$0" {program} "$@"\' "$0" "$@"')
    write(path, f"#!/bin/sh\nexport TZ=UTC LC_ALL=C\n{command}\n", 0o755)
    return path


def enter_world():
    """Starts this program again in namespaces of its own, and makes them a small mail host."""
    if os.environ.get("RIG_WORLD") is None:
        if os.getuid() != 0:
            sys.exit("to be run as root")
        os.execvpe("unshare", ["unshare", "--mount", "--propagation", "private", "--uts", "--pid",
                               "--net", "--fork", "--kill-child", "--mount-proc",
                               sys.executable, *sys.argv], dict(os.environ, RIG_WORLD="1"))
    # Who started the rig may have blocked or ignored signals, and that is inherited.
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    for number in (signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    work = "/mnt"
    mount = lambda *options: subprocess.run(["mount", *options], check=True)
    mount("-t", "tmpfs", "-o", "mode=755", "rig", work)
    for folder in ("etc", "dev/shm", "dev/pts", "var", "run", "spool", "libexec"):
        os.makedirs(f"{work}/{folder}")
    for node in ("null", "zero", "full", "random", "urandom", "tty"):
        open(f"{work}/dev/{node}", "w").close()
        mount("--bind", "/dev/" + node, f"{work}/dev/{node}")
    shutil.copytree("/etc", work + "/etc", symlinks=True, dirs_exist_ok=True)
    mount("--bind", work + "/etc", "/etc")
    mount("--rbind", work + "/dev", "/dev")
    mount("--bind", work + "/run", "/run")
    mount("--bind", work + "/spool", "/var/spool")
    mount("--bind", work + "/var", "/var/lib")
    mount("--bind", work + "/libexec", "/usr/libexec")
    socket.sethostname(HOST)
    write("/etc/hosts", "127.0.0.1 localhost\n127.0.0.1 fake.isp.test\n"
          f"127.0.0.2 {HOST} mx1\n" + "".join(f"127.0.0.{n} pc{n}.isp.test\n" for n in range(3, 7))
          + "127.0.0.7 fake.isp.test\n")
    write("/etc/resolv.conf", "")
    write("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n")
    # The loopback device is down in a new network.
    device = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    fcntl.ioctl(device, 0x8914, struct.pack("16sH14s", b"lo", 0x41, b""))
    return work


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, mode)


def run_next_as(pid):
    """Lets the next process have this number; false if the kernel does not allow it."""
    try:
        with open("/proc/sys/kernel/ns_last_pid", "w") as file:
            file.write(str(pid - 1))
        return True
    except OSError:
        return False


# What the server writes.

class Syslog:
    """/dev/log, written to a file as rsyslog writes it (RFC 3164, controls as #ooo)."""

    def __init__(self, path):
        self.file = open(path, "wb")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.socket.bind("/dev/log")
        os.chmod("/dev/log", 0o666)
        self.text = b""
        threading.Thread(target=self.receive, daemon=True).start()

    def receive(self):
        while True:
            record = re.sub(rb"^<\d+>", b"", self.socket.recv(1 << 16)).rstrip(b"\n\0")
            record = re.sub(rb"[\0-\x1f\x7f]", lambda found: b"#%03o" % found[0][0], record)
            line = record[:16] + HOST.split(".")[0].encode() + b" " + record[16:] + b"\n"
            self.file.write(line)
            self.file.flush()
            self.text += line

    def wait_for(self, pattern, seconds=30, since=0):
        """The first match of a pattern in what was written from a place on."""
        end = time.time() + seconds
        while time.time() < end:
            found = re.compile(pattern).search(self.text, since)
            if found:
                return found
            time.sleep(0.01)
        return None


# Where the mail goes.

class Sink(socketserver.ThreadingTCPServer):
    """A destination. What it answers to a recipient is told by the local part: `reject…` is refused,
    `defer…` is greylisted once, `never…` always; with `hostile` in it, the answers forge fields."""
    allow_reuse_address = True
    daemon_threads = True
    forged = ', stat=Sent (250 ok)" result="Ok" stat="Sent, status=sent (250 ok)'

    def __init__(self, port, seed):
        self.seen, self.lock, self.random = set(), threading.Lock(), random.Random(seed)
        super().__init__(("127.0.0.1", port), self.Session)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def after(self, address):
        """What follows in the answers to a recipient."""
        return self.forged if "hostile" in address.split("@")[0] else ""

    def answer(self, address):
        local = address.split("@")[0].strip('"')
        text = self.after(address)
        if local.startswith("reject"):
            return f"550 5.1.1 <{address}>: User unknown" + text
        if local.startswith("never"):
            return "451 4.3.2 try again later" + text
        with self.lock:
            if local.startswith("defer") and address not in self.seen:
                self.seen.add(address)
                return f"451 4.7.1 <{address}>: greylisted" + text
        return "250 2.1.5 Ok"

    class Session(socketserver.StreamRequestHandler):
        def handle(self):
            say = lambda text: self.wfile.write(text.encode() + b"\r\n")
            say("220 sink.test ESMTP")
            after = ""
            while line := self.rfile.readline():
                verb = line[:4].upper()
                if verb == b"EHLO":
                    say("250-sink.test\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES")
                elif verb == b"RCPT":
                    address = line.decode("utf-8", "replace").split("<", 1)[1].rsplit(">", 1)[0]
                    after = after or self.server.after(address)
                    say(self.server.answer(address))
                elif verb == b"DATA":
                    say("354 go on")
                    while self.rfile.readline() not in (b".\r\n", b""):
                        pass
                    text = after.replace("Sent", "Deferred")
                    with self.server.lock:
                        number = self.server.random.randrange(2**32)
                    say(f"250 2.0.0 Ok: queued as {number:08X}{text}")
                    after = ""
                elif verb == b"QUIT":
                    return say("221 2.0.0 Bye")
                else:
                    say("250 2.0.0 Ok")


class Filter(Sink):
    """An after-queue filter: what it gets it sends to another port, and passes the reply on."""

    def __init__(self, port, seed, following):
        self.following = following
        super().__init__(port, seed)

    class Session(socketserver.StreamRequestHandler):
        def handle(self):
            say = lambda text: self.wfile.write(text.encode() + b"\r\n")
            say("220 filter.test ESMTP")
            port = self.server.following
            following = smtplib.SMTP("127.0.0.1", port, local_hostname="filter.test")
            following.ehlo()
            while line := self.rfile.readline():
                verb = line[:4].upper()
                if verb == b"EHLO":
                    say("250-filter.test\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES")
                elif verb in (b"MAIL", b"RCPT", b"RSET"):
                    code, text = following.docmd(line.decode().strip())
                    say(f"{code} {text.decode()}")
                elif verb == b"DATA":
                    say("354 go on")
                    content = b""
                    while (line := self.rfile.readline()) not in (b".\r\n", b""):
                        content += line[1:] if line.startswith(b"..") else line
                    code, text = following.data(content)
                    reply = f"{code} {text.decode()}"
                    with self.server.lock:
                        says_so = self.server.random.random() < 0.5
                    say(f"250 2.0.0 from MTA(smtp:[127.0.0.1]:{port}): {reply}" if says_so else reply)
                elif verb == b"QUIT":
                    following.quit()
                    return say("221 2.0.0 Bye")
                else:
                    say("250 2.0.0 Ok")


# What is sent.

WORDS = ("quarterly invoice meeting notes from Tuesday delivery update about the garden order budget "
         "plan draft holiday photos contract question reminder lunch team status report shipment "
         "Müller façade naïve").split()
SPAM = ["Cheap meds no prescription", "You won 1,000,000 EUR", "Replica watches -85%",
        "Make money from home", "Hot stock tip: ACME", "V1agra c1alis best price"]
KNOWN = [word + ".example" for word in
         "northwind contoso fabrikam litware proseware tailspin adatum wingtip".split()]
PREFIXES = [("Not read: ", None), ("Ungelesen: ", "b"), ("Non lu : ", "q"), ("No leído: ", "b"),
            ("Não lida: ", "q"), ("未読: ", "b"), ("Nicht gelesen: ", "b"), ("Niet gelezen: ", "q")]
NAMES = ("alice bruno carla dieter elena farid gudrun hana igor june kofi lena marta nils olga pavel "
         "quin rosa sven tara").split()
REPORT = ('MIME-Version: 1.0\r\nContent-Type: multipart/report; '
          'report-type=disposition-notification;\r\n boundary="b"\r\n')
REPORT_BODY = ("--b\r\n\r\nYour message\r\nwas deleted without being read.\r\n--b\r\nContent-Type: "
               "message/disposition-notification\r\n\r\nDisposition: "
               "automatic-action/MDN-sent-automatically; deleted\r\n--b--\r\n")
FORWARD = 'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="o"\r\n'
FORWARD_BODY = ('--o\r\n\r\nlook at this\r\n--o\r\nContent-Type: message/rfc822\r\n\r\nFrom: a@b.test\r\n'
                'Subject: Not read: attached\r\nDisposition-Notification-To: <t@u.test>\r\n'
                'Content-Type: multipart/report; report-type=disposition-notification; boundary="j"'
                '\r\n\r\n--j--\r\n--o--\r\n')


def encoded(text, how):
    """A header text as one or more encoded words (RFC 2047), folded."""
    words = []
    for start in range(0, len(text), 15):
        piece = text[start:start + 15].encode()
        if how == "b":
            words.append("=?utf-8?B?" + base64.b64encode(piece).decode() + "?=")
        else:
            words.append("=?utf-8?Q?" + "".join(
                chr(byte) if chr(byte).isalnum() and byte < 128 else f"={byte:02X}"
                for byte in piece) + "?=")
    return "\r\n ".join(words)


class Message:
    """One message to send, with what is true of it."""

    def __init__(self, scenario, user, to, subject, receipt=None, head=None, extra="", body="hello",
                 sender=None, helo=None, bait=None):
        self.scenario, self.user, self.to, self.subject = scenario, user, to, subject
        self.receipt, self.sender, self.helo, self.bait = receipt, sender, helo, bait
        self.head = subject if head is None else head
        self.extra, self.body = extra, body
        self.queue_id = None


class Mail:
    """The labelled mail of a run."""

    def __init__(self, seed, odd_logins):
        self.random = random.Random(seed)
        names = self.random.sample(NAMES, 14)
        self.users = [f"{name}@{LOCAL_DOMAINS[number // 7]}" for number, name in enumerate(names)]
        self.odd_logins = odd_logins
        self.passwords = {user: f"pw{self.random.randrange(10**9)}"
                          for user in self.users + odd_logins}
        self.victims = self.random.sample(self.users, 4)
        self.number = self.random.randrange(10**9)

    def spam_domain(self):
        chance = self.random
        return "%s%d.%s" % (chance.choice("mail web biz info net corp data".split()),
                            chance.randrange(10**6), chance.choice(["test", "invalid", "example"]))

    def message_id(self):
        self.number += 1
        return f"<{self.number}@pc.hosted.example>"

    def victim(self, bait=None, subject=None, to=None):
        """Outlook's answer to spam."""
        prefix, how = self.random.choice(PREFIXES[:1] * 4 + PREFIXES)
        user = bait.to[0] if bait else self.random.choice(self.victims)
        subject = prefix + (subject or self.random.choice(SPAM))
        to = to or f"x{self.random.randrange(999)}@{self.spam_domain()}"
        head = subject if how is None else encoded(subject, how)
        return Message("victim", user, [to], subject, "not-read", head, REPORT, REPORT_BODY, "",
                       bait=bait)

    def jobs(self, count, decoys, forged):
        """Messages by chance.

        decoys: subjects that look like what the server writes; forged: functions of this object that
        give a hostile message.
        """
        chance, jobs = self.random, []
        while len(jobs) < count:
            user, kind = chance.choice(self.users), chance.random()
            number, known = len(jobs), f"boss@{chance.choice(KNOWN)}"
            if kind < 0.06:
                jobs.append(chance.choice(forged)(self, user))
            elif kind < 0.09:
                jobs.append(Message("odd-login", chance.choice(self.odd_logins),
                                    [f"x{number}@{self.spam_domain()}"], "Not read: odd login",
                                    "not-read", sender="x@hosted.example"))
            elif kind < 0.11:
                subject, receipt = chance.choice([("Fwd: a receipt", None),
                                                  ("Not read: forwarded by hand", "not-read")])
                jobs.append(Message("forwarded", user, [known], subject, receipt, extra=FORWARD,
                                    body=FORWARD_BODY))
            elif kind < 0.50:
                locals_ = ["info", f"defer{number}", f"reject{number}", "kai", "mia",
                           f"hostile{number}", f"rejecthostile{number}", f"deferhostile{number}",
                           f"never{number}" if chance.random() < 0.1 else "office"]
                to = [f"{chance.choice(locals_)}@{chance.choice(KNOWN)}"
                      for _ in range(chance.choice([1, 1, 1, 2, 4]))]
                subject = " ".join(chance.choices(WORDS, k=chance.randint(2, 6)))
                head = None if subject.isascii() else encoded(subject, chance.choice("bq"))
                jobs.append(Message("normal", user, list(dict.fromkeys(to)), subject, head=head))
            elif kind < 0.70:
                bait, subject, to = None, chance.choice(SPAM), None
                if chance.random() < 0.5:
                    to = f"x{chance.randrange(999)}@{self.spam_domain()}"
                    bait = Message("bait", None, [chance.choice(self.victims)], subject,
                                   extra=f"Disposition-Notification-To: <{to}>\r\n",
                                   sender="win@spam.test", helo="spam.test")
                    jobs.append(bait)
                jobs.append(self.victim(bait, subject, to))
            elif kind < 0.76:
                prefix, receipt = chance.choice([("Read: ", "read"), ("Not read: ", "not-read"),
                                                 ("Gelesen: ", "read")])
                jobs.append(Message("legit-receipt", user, [known],
                                    f"{prefix}{chance.choice(WORDS[:20])} plan", receipt, None,
                                    REPORT, REPORT_BODY, ""))
            elif kind < 0.88:
                subject = chance.choice(decoys)
                jobs.append(Message("decoy", user, [f"v{number}@{self.spam_domain()}"], subject))
            elif kind < 0.94:
                jobs.append(Message("unauth", None, [chance.choice(self.users)],
                                    "Not read: Cheap meds", sender="stranger@outside.test"))
            elif kind < 0.97:
                jobs.append(Message("refused", user, ["nobody@blocked.example"], "never"))
            else:
                jobs.append(Message("failed-login", user, [f"x@{self.spam_domain()}"], "never"))
        return jobs

    def content(self, message, message_id):
        sender = message.sender or message.user or "x@outside.test"
        return (f"From: {sender}\r\nTo: {message.to[0]}\r\nSubject: {message.head}\r\n"
                f"Message-ID: {message_id}\r\n{message.extra}\r\n{message.body}\r\n").encode()


class Client:
    """Sends messages as a mail program does, and writes down what is true."""

    def __init__(self, mail, submission, exchange, queued):
        """submission, exchange: ports of loopback; queued: finds the queue ID in a reply."""
        self.mail, self.submission, self.exchange, self.queued = mail, submission, exchange, queued
        self.truth = []

    def connect(self, message, source=None):
        chance = self.mail.random
        source = source or f"127.0.0.{chance.choice([1, 3, 4, 5, 6, 7])}"
        connection = self.open(message, source)
        connection.ehlo(message.helo or "")
        if message.user:
            is_wrong = message.scenario == "failed-login"
            password = "wrong" if is_wrong else self.mail.passwords[message.user]
            coded = lambda text: base64.b64encode(text.encode()).decode()
            # smtplib's own auth() takes ASCII only.
            if chance.random() < 0.5:
                code, text = connection.docmd("AUTH", "PLAIN " + coded(
                    f"\0{message.user}\0{password}"))
            else:
                connection.docmd("AUTH", "LOGIN")
                connection.docmd(coded(message.user))
                code, text = connection.docmd(coded(password))
            if code != 235:
                raise smtplib.SMTPAuthenticationError(code, text)
        return connection

    def open(self, message, source):
        port = self.submission if message.user else self.exchange
        return smtplib.SMTP("127.0.0.1", port, local_hostname="pc.isp.test",
                            source_address=(source, 0))

    def transact(self, connection, message):
        """One MAIL, its RCPTs and DATA."""
        chance = self.mail.random
        sender = message.user if message.sender is None else message.sender
        claim = " AUTH=ceo@hosted.example" if message.user and chance.random() < 0.05 else ""
        if "auth" not in connection.esmtp_features:
            claim = ""
        connection.docmd("MAIL", f"FROM:<{sender}>{claim}")
        accepted = [to for to in message.to
                    if connection.docmd("RCPT", f"TO:<{to}>")[0] == 250]
        if not accepted:
            connection.docmd("RSET")
            return
        message_id = self.mail.message_id()
        code, reply = connection.data(self.mail.content(message, message_id))
        if code != 250:
            return
        message.queue_id = self.queued(reply.decode())
        if message.user is None:
            return
        for to in accepted:
            local, domain = to.rsplit("@", 1)
            status = ("bounced" if local.startswith("reject") else
                      "expired" if local.startswith("never") else "sent")
            if domain in LOCAL_DOMAINS:
                status = "sent"
            self.truth.append({
                "account": message.user, "queue_id": message.queue_id, "message_id": message_id,
                "time": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
                "from": sender, "to": to, "domain": domain, "subject": message.subject,
                "receipt": message.receipt, "status": status,
                "bait": message.bait.queue_id if message.bait else None,
                "scenario": message.scenario})

    def send(self, message, source=None):
        try:
            connection = self.connect(message, source)
            self.transact(connection, message)
            connection.quit()
        except smtplib.SMTPException as error:
            if message.scenario not in ("failed-login", "refused"):
                print("not sent:", message.scenario, message.user, error, file=sys.stderr)

    def write(self, path):
        with open(path, "w") as file:
            for row in self.truth:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
