#!/bin/sh
# Finds or installs the programs that the tests drive. Without a Chromium it fails; the tests that
# need one of the others skip without it, and say so. Does nothing when all are there.
set -eu

have() { command -v "$1" >/dev/null 2>&1; }
have_chromium() {
    [ -x "${CHROMIUM:-}" ] || have chromium || have chromium-browser ||
        have google-chrome || have google-chrome-stable
}
# Debian keeps the server's programs off the PATH
have_nginx() { have nginx || [ -x /usr/sbin/nginx ]; }
have_fpm() { ls /usr/sbin/php-fpm[0-9]* >/dev/null 2>&1; }
has_php() { php -r "exit( extension_loaded( '$1' ) ? 0 : 1 );" 2>/dev/null; }
have_apache() { have apache2 || [ -x /usr/sbin/apache2 ]; }
have_postgres() { have postgres || ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1; }

say() { echo "tests/machine.sh: $*" >&2; }

missing() {
    have_chromium || echo chromium
    # the same one without windows of its own: a page costs a third less CPU in it
    [ -x "${CHROMIUM:-}" ] || have chromium-headless-shell || echo chromium-headless-shell
    have redis-server || echo redis-server
    have_postgres || echo postgresql
    have php || echo php-cli
    have_nginx || echo nginx-light
    have_apache || echo apache2-bin
    have openssl || echo openssl
    have firefox-esr || have firefox || echo firefox-esr
    have WebKitWebDriver || echo webkit2gtk-driver
    have Xvfb || echo xvfb
    have systemd-analyze || echo systemd
    have promtool || echo prometheus
    have_nginx || echo nginx
    # In this order: with nginx and PHP-FPM there, nothing asks for Apache.
    have_fpm || echo php-fpm
    has_php mysqli || echo php-mysql
    has_php curl || echo php-curl
    [ -x /usr/sbin/mariadbd ] || echo mariadb-server
    [ -d /usr/share/wordpress ] || echo php wordpress
}

install() {
    # RUNLEVEL=1: packages of servers do not start them; the tests start their own, elsewhere
    say "installing: $*"
    DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -qq -y --no-install-recommends \
        -o Dpkg::Use-Pty=0 "$@" </dev/null >"$log" 2>&1 || { tail -n 5 "$log" >&2; return 1; }
}

wanted=$(missing)
[ -n "$wanted" ] || exit 0

if [ "$(id -u)" = 0 ] && have apt-get; then
    log=$(mktemp)
    trap 'rm -f "$log"' EXIT
    apt-get update -qq >"$log" 2>&1 || { say "apt-get update failed"; tail -n 5 "$log" >&2; }
    # one by one: a package that this distribution lacks must not keep the others out
    for package in $wanted; do
        install "$package" || say "$package could not be installed"
    done
fi

for package in $(missing); do
    case $package in chromium*) continue ;; esac
    say "no $package here: the tests that need it will be skipped"
done
have_chromium || {
    say "no Chromium found, and it could not be installed from here."
    say "Install Chromium or Google Chrome (Debian: apt-get install chromium), so that chromium,"
    say "chromium-browser or google-chrome is on the PATH, or set CHROMIUM to its full path."
    exit 1
}
