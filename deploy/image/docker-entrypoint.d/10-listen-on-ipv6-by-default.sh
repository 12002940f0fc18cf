#!/bin/sh
# Lets the default server listen on IPv6 too, where there is IPv6 and nobody has changed its file.
set -e

say() {
  [ -n "${NGINX_ENTRYPOINT_QUIET_LOGS:-}" ] || echo "${0##*/}: $*"
}

file=/etc/nginx/conf.d/default.conf
[ -f /proc/net/if_inet6 ] || { say "no IPv6 here"; exit 0; }
[ -f "$file" ] || { say "no $file"; exit 0; }
[ -w "$file" ] && [ -w "${file%/*}" ] || { say "$file cannot be written"; exit 0; }
grep -q 'listen  *\[::\]' "$file" && { say "IPv6 is listened on already"; exit 0; }
cmp -s "$file" /usr/lib/viaduct/image/default.conf || { say "$file was changed, and stays as it is"; exit 0; }
port=$(sed -n 's/^ *listen  *\([0-9]*\);.*/\1/p' "$file")
sed -i "s/^\( *\)listen  *$port;/&\n\1listen       [::]:$port;/" "$file"
say "listening on IPv6 in $file"
