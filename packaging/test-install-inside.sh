#!/usr/bin/env bash
# Steps of the test of the packages, inside the Debian system; test-install.sh starts it.
set -Eeuo pipefail
trap 'echo "failed in line $LINENO: $BASH_COMMAND"; show_logs' ERR

test=/test
booted=
if [[ -d /run/systemd/system ]]; then booted=yes; fi
export NATS_URL=nats://operator:operator@127.0.0.1:4222

step() {
  echo "-- $*"
}

fail() {
  echo "failed: $*"
  show_logs
  exit 1
}

show_logs() {
  if [[ $booted ]]; then
    journalctl --no-pager --lines 30 --unit 'rolecast-*' || true
  else
    tail -n 20 $test/*.log || true
  fi
}

# Repeats a command until it succeeds, for $1 seconds.
within() {
  local limit=$1 end
  shift
  end=$((SECONDS + limit))
  until "$@" >/dev/null 2>&1; do
    if ((SECONDS >= end)); then fail "not within $limit s: $*"; fi
    sleep 0.2
  done
}

# Everything that a package could leave.
files() {
  find / -xdev \( -path /proc -o -path /sys -o -path /run -o -path /tmp -o -path /var/tmp -o -path $test \
    -o -path /var/log -o -path /var/lib/dpkg -o -path /var/lib/systemd -o -path /dev \
    -o -name '*-' -o -name 'ld.so.cache' \) -prune -o -print | sort
}

start() {
  if [[ $booted ]]; then
    systemctl start "rolecast-$1"
  else
    local config=rolecast.toml user=rolecast
    if [[ $1 == worker ]]; then config=worker.toml user=rolecast-worker; fi
    setpriv --reuid "$user" --regid "$user" --clear-groups \
      "rolecast-$1" --config "/etc/rolecast/$config" >$test/"$1.log" 2>&1 &
    echo $! >$test/"$1.pid"
  fi
}

stop() {
  if [[ $booted ]]; then
    systemctl stop "rolecast-$1"
  else
    kill "$(cat $test/"$1.pid")"
    wait "$(cat $test/"$1.pid")"
  fi
}

property() {
  systemctl show --property "$2" --value "rolecast-$1"
}

start_nats() {
  if [[ $booted ]]; then
    systemctl start nats-server
  else
    $test/nats-server -c $test/nats.conf >$test/nats.log 2>&1 &
    echo $! >$test/nats.pid
  fi
  within 20 bash -c '</dev/tcp/127.0.0.1/4222'
}

files >$test/before
getent passwd | sort >$test/users-before

step "install"
dpkg --install $test/rolecast.deb $test/rolecast-dispatcher.deb $test/rolecast-worker.deb >$test/dpkg.log
for name in rolecast rolecast-dispatcher rolecast-worker; do "$name" --version; done
for user in rolecast rolecast-worker; do
  getent passwd "$user" >/dev/null || fail "there is no user $user"
done
[[ $(stat -c '%a %U %G' /etc/rolecast/rolecast.toml) == "640 root rolecast" ]]
[[ $(stat -c '%a %U %G' /etc/rolecast/worker.toml) == "640 root rolecast-worker" ]]
if [[ $booted ]]; then
  for name in dispatcher worker; do
    [[ $(property $name ActiveState) == inactive ]] || fail "$name was started"
    [[ $(property $name UnitFileState) == disabled ]] || fail "$name is enabled"
  done
fi

step "configure"
umask 077
mkdir -p /etc/credstore
if [[ $booted ]]; then
  printf '[Service]\nExecStart=%s\n' "$test/nats-server -c $test/nats.conf" >/run/systemd/system/nats-server.service
  systemctl daemon-reload
  cp $test/dispatcher.seed /etc/credstore/rolecast-dispatcher.creds
  seed=/run/credentials/rolecast-dispatcher.service/rolecast-dispatcher.creds
else
  install -o rolecast -m 0400 $test/dispatcher.seed $test/seed
  chmod 755 $test
  seed=$test/seed
fi
cat >$test/nats.conf <<CONF
listen: "127.0.0.1:4222"
jetstream { store_dir: "$test/jetstream" }
authorization { users: [
  { nkey: $(cat $test/dispatcher.public) }
  { user: worker, password: worker }
  { user: operator, password: operator }
] }
CONF
sed -i "s|^\[nats\]|[nats]\nnkey = \"$seed\"|" /etc/rolecast/rolecast.toml
sed -i 's|^\[nats\]|[nats]\nurl = "nats://worker:worker@127.0.0.1:4222"|' /etc/rolecast/worker.toml
sed -i 's|^node =.*||; 1,/^# node/s|^# node =.*|node = "n1"|' /etc/rolecast/worker.toml
cat >>/etc/rolecast/worker.toml <<'TOML'
[categories.slow]
command = ["sh", "-c", "sleep 2; id -un; touch /usr/x || echo cannot write"]
TOML

step "start"
start_nats
start dispatcher
start worker
within 30 rolecast status
if [[ $booted ]]; then
  for name in dispatcher worker; do
    [[ $(property $name ActiveState) == active ]] || fail "$name is not active"
    echo "$name: $(property $name StatusText)"
  done
  within 15 bash -c '[[ $(systemctl show --property StatusText rolecast-dispatcher) == *"1 of 1 nodes ready"* ]]'
  systemd-analyze security --no-pager rolecast-dispatcher rolecast-worker | grep rolecast
fi

step "run a job"
within 20 bash -c 'rolecast --json status | grep -q "\"n1\""'
[[ $(rolecast submit wordcount --data "one two three" --wait) == 3 ]] || fail "the job did not count"
output=$(rolecast submit slow --wait)
echo "a job: ${output//$'\n'/, }"
[[ $output == *rolecast-worker* ]] || fail "another user ran the job"
[[ ! $booted || $output == *"cannot write"* ]] || fail "a job wrote to /usr"

if [[ $booted ]]; then
  step "NATS is away for longer than the watchdog"
  for name in dispatcher worker; do
    mkdir -p "/run/systemd/system/rolecast-$name.service.d"
    printf '[Service]\nWatchdogSec=4s\nTimeoutAbortSec=2s\n' >"/run/systemd/system/rolecast-$name.service.d/test.conf"
  done
  systemctl daemon-reload
  systemctl restart rolecast-dispatcher rolecast-worker
  pids="$(property dispatcher MainPID) $(property worker MainPID)"
  systemctl stop nats-server
  sleep 9
  [[ "$(property dispatcher MainPID) $(property worker MainPID)" == "$pids" ]] || fail "restarted without NATS"
  echo "dispatcher: $(property dispatcher StatusText)"
  start_nats
  within 30 rolecast submit wordcount --data "one two three" --wait

  step "a dispatcher and a worker that hang are started again"
  for name in dispatcher worker; do
    kill -STOP "$(property $name MainPID)"
    within 30 bash -c "[[ \$(systemctl show --property NRestarts --value rolecast-$name) == 1 ]]"
    within 30 bash -c "[[ \$(systemctl show --property ActiveState --value rolecast-$name) == active ]]"
  done
  within 30 rolecast submit wordcount --data "one two three" --wait

  step "jobs of another user"
  cp -p /etc/rolecast/worker.toml $test/worker.toml
  mkdir -p /etc/systemd/system/rolecast-worker.service.d
  cp /usr/share/doc/rolecast-worker/examples/run-as.conf /etc/systemd/system/rolecast-worker.service.d/
  sed -i '0,/^# run_as =.*/s//run_as = "games"/' /etc/rolecast/worker.toml
  systemctl daemon-reload
  systemctl restart rolecast-worker
  output=$(rolecast submit slow --wait)
  echo "a job: ${output//$'\n'/, }"
  [[ $output == *games* ]] || fail "another user ran the job"
  rm -r /etc/systemd/system/rolecast-worker.service.d
  cp -p $test/worker.toml /etc/rolecast/worker.toml
  systemctl daemon-reload
  systemctl restart rolecast-worker

  step "a mistake in the configuration is not repeated"
  cp -p /etc/rolecast/worker.toml $test/worker.toml
  echo 'oops = 1' >>/etc/rolecast/worker.toml
  systemctl restart rolecast-worker && fail "started with a mistake"
  [[ $(property worker ExecMainStatus) == 2 && $(property worker NRestarts) == 0 ]] || fail "repeated"
  cp -p $test/worker.toml /etc/rolecast/worker.toml
  systemctl start rolecast-worker
fi

step "a job ends before its worker does"
rolecast submit slow --id last
within 20 bash -c 'rolecast --json job get last | grep -q "\"running\""'
stop worker
[[ $(rolecast --json job get last) == *'"completed"'* ]] || fail "the job was not completed"
stop dispatcher
if [[ $booted ]]; then
  for name in dispatcher worker; do
    [[ $(property $name Result) == success ]] || fail "$name: $(property $name Result)"
  done
  systemctl stop nats-server
else
  kill "$(cat $test/nats.pid)"
fi

step "install again: a changed config stays"
dpkg --install $test/rolecast-worker.deb >>$test/dpkg.log
grep -q '"n1"' /etc/rolecast/worker.toml || fail "the config was replaced"

step "remove"
dpkg --purge rolecast rolecast-dispatcher rolecast-worker >>$test/dpkg.log
rm -rf /etc/credstore/rolecast-dispatcher.creds
rmdir /etc/credstore 2>/dev/null || true
files >$test/after
if ! diff $test/before $test/after; then fail "files are left"; fi
getent passwd | sort | diff $test/users-before - || fail "users are left"
if [[ $booted ]]; then
  systemctl daemon-reload
  [[ $(property dispatcher LoadState) == not-found ]] || fail "a unit is left"
fi
echo "all steps passed"
