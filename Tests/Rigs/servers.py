"""Real Postfixes and Exims for the rigs: configured and started in the world of common.py."""
import os, shutil, socket, subprocess, sys, time

import common

SUBMISSION, EXCHANGE, SINK = 587, 25, 2525
PACKAGES = {"postfix": ["postfix"], "exim": ["exim4-daemon-light"]}


def need_user(name, group=None):
    """Makes a user of the world, and its group, unless the machine has them."""
    for path, line in (("/etc/group", f"{group or name}:x:{{0}}:\n"), ("/etc/passwd", f"{name}:x:{{0}}:{{0}}::/:/bin/false\n")):
        rows = open(path).read().split("\n")
        if not any(row.startswith(line.split(":")[0] + ":") for row in rows):
            taken = {row.split(":")[2] for row in rows if row.count(":") > 2}
            with open(path, "a") as file:
                file.write(line.format(next(n for n in range(900, 999) if str(n) not in taken)))


def wait_for_port(port, process):
    for _ in range(200):
        try:
            return socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        if process.poll() is not None:
            break
    sys.exit(f"nothing listens on port {port}")


POSTFIX_MAIN = """
compatibility_level = 3.6
queue_directory = /var/spool/postfix
data_directory = /var/lib/postfix
command_directory = {root}/usr/sbin
daemon_directory = {root}/usr/lib/postfix/sbin
shlib_directory = {root}/usr/lib/postfix
meta_directory = /etc/postfix
import_environment = MAIL_CONFIG TZ LANG=C LD_LIBRARY_PATH={libraries}
mail_owner = postfix
setgid_group = postdrop
myhostname = mx1.hosted.example
mydestination = hosted.example, shop.example
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.2/32
alias_maps =
local_recipient_maps =
local_transport = discard
relayhost = [127.0.0.1]:{sink}
smtpd_sasl_auth_enable = yes
smtpd_sasl_path = smtpd
cyrus_sasl_config_path = /etc/postfix/sasl
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_tls_security_level = none
smtp_tls_security_level = none
smtp_dns_support_level = disabled
smtp_host_lookup = native
smtpd_peername_lookup = yes
strict_smtputf8 = no
minimal_backoff_time = 2s
maximal_backoff_time = 2s
queue_run_delay = 2s
notify_classes =
smtpd_error_sleep_time = 0
smtpd_client_connection_rate_limit = 0
"""

POSTFIX_MASTER = """
127.0.0.1:587 inet n - n - - smtpd
  -o syslog_name=postfix/submission
  -o smtpd_client_restrictions=permit_sasl_authenticated,reject
127.0.0.1:25 inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
"""


class Server:
    """A server that runs as a process of its own."""

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()


class Postfix(Server):
    """A Postfix that logs to /dev/log, whose main.cf ends with `settings`."""

    def __init__(self, root, passwords, settings):
        need_user("postfix")
        need_user("postdrop")
        self.libraries = f"{common.libraries(root)}:{root}/usr/lib/postfix"
        self.environment = dict(common.environment(root), LD_LIBRARY_PATH=self.libraries)
        self.root, self.settings = root, settings
        shutil.rmtree("/etc/postfix", ignore_errors=True)
        self.configure(settings)
        common.write("/etc/postfix/master.cf", POSTFIX_MASTER)
        common.write("/etc/postfix/dynamicmaps.cf", "")
        common.write("/etc/postfix/sasl/smtpd.conf", "pwcheck_method: auxprop\nauxprop_plugin: sasldb\n"
                     "mech_list: PLAIN LOGIN\n")
        for login, password in passwords.items():
            name, domain = login.rsplit("@", 1)
            subprocess.run(["saslpasswd2", "-p", "-c", "-u", domain, name], input=password.encode(), check=True)
        shutil.chown("/etc/sasldb2", "root", "postfix")
        os.chmod("/etc/sasldb2", 0o640)
        os.makedirs("/var/lib/postfix", exist_ok=True)
        shutil.chown("/var/lib/postfix", "postfix", "postfix")
        # As post-install(1) makes them.
        for name in "active bounce corrupt defer deferred flush hold incoming private saved trace".split():
            self.folder(name, "postfix", "root", 0o700)
        self.folder("maildrop", "postfix", "postdrop", 0o730)
        self.folder("public", "postfix", "postdrop", 0o710)
        self.folder("pid", "root", "root", 0o755)
        self.process = subprocess.Popen([root + "/usr/lib/postfix/sbin/master", "-c", "/etc/postfix", "-d"],
                                        env=self.environment)
        wait_for_port(SUBMISSION, self.process)

    def folder(self, name, owner, group, mode):
        path = "/var/spool/postfix/" + name
        os.makedirs(path)
        shutil.chown(path, owner, group)
        os.chmod(path, mode)

    def configure(self, settings):
        """Writes main.cf; takes effect when Postfix is started or reloaded."""
        common.write("/etc/postfix/main.cf", POSTFIX_MAIN.format(
            root=self.root, libraries=self.libraries, sink=SINK) + settings)

    def reload(self):
        """What `postfix reload` does: master(8) reads its settings again at SIGHUP."""
        self.process.send_signal(1)
        time.sleep(1)
        wait_for_port(SUBMISSION, self.process)

    @property
    def is_idle(self):
        return not any(files for name in ("active", "deferred", "incoming", "maildrop")
                       for _, _, files in os.walk("/var/spool/postfix/" + name))


EXIM = """
primary_hostname = mx1.hosted.example
spool_directory = /var/spool/exim4
exim_path = {program}
keep_environment = LD_LIBRARY_PATH
log_file_path = /var/spool/exim4/%slog
log_selector = {selector}
daemon_smtp_ports = 25 : 587
local_interfaces = 127.0.0.1
domainlist local_domains = hosted.example : shop.example
acl_smtp_rcpt = check
acl_smtp_data = data
host_lookup = *
host_lookup_order = byaddr
helo_accept_junk_hosts = *
tls_advertise_hosts =
never_users = root
exim_user = Debian-exim
queue_run_max = 2
smtp_accept_max = 0
begin acl
check:
  accept authenticated = *
  accept domains = +local_domains
  deny message = relay not permitted
data:
{acl}
  accept
begin routers
local:
  driver = accept
  domains = +local_domains
  transport = null
remote:
  driver = manualroute
  route_list = * 127.0.0.1
  self = send
  transport = out
  caseful_local_part
begin transports
null:
  driver = appendfile
  file = /dev/null
  user = Debian-exim
out:
  driver = smtp
  port = {sink}
begin retry
*  *  F,1h,2s
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if eq{{$auth3}}{{${{lookup{{$auth2}}lsearch{{/etc/exim4/passwd}}}}}}}}
  server_set_id = $auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = ${{if eq{{$auth2}}{{${{lookup{{$auth1}}lsearch{{/etc/exim4/passwd}}}}}}}}
  server_set_id = $auth1
"""


class Exim(Server):
    """An Exim with the shipped statements for its ACL, whose main log goes to a file."""
    log = "/var/spool/exim4/mainlog"

    def __init__(self, root, passwords, selector):
        need_user("Debian-exim")
        os.makedirs("/var/spool/exim4")
        shutil.chown("/var/spool/exim4", "Debian-exim", "Debian-exim")
        quoted = lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
        common.write("/etc/exim4/passwd", "".join(
            f"{quoted(login)}: {password}\n" for login, password in passwords.items()))
        here = os.path.dirname(os.path.abspath(__file__))
        acl = open(here + "/../../deploy/snippets/exim-acl.conf").read()
        self.command = [root + "/usr/sbin/exim4", "-C", "/etc/exim4/rig.conf"]
        common.write("/etc/exim4/rig.conf", EXIM.format(
            program=self.command[0], selector=selector, acl=acl, sink=SINK))
        self.environment = common.environment(root)
        self.process = subprocess.Popen(self.command + ["-bdf", "-q2s"], env=self.environment)
        wait_for_port(SUBMISSION, self.process)

    @property
    def is_idle(self):
        return not any(files for _, _, files in os.walk("/var/spool/exim4/input"))
