#!/bin/sh
# Prepares the container before the server starts, as nginx's official image does: runs what lies in
# /docker-entrypoint.d in the order of names (`.sh` as programs, `.envsh` in this shell), then becomes the command.
set -e

say() {
  [ -n "${NGINX_ENTRYPOINT_QUIET_LOGS:-}" ] || echo "$0: $*"
}

case $1 in
  nginx | nginx-debug | viaduct)
    if [ -n "$(find /docker-entrypoint.d/ -mindepth 1 -maxdepth 1 -type f 2>/dev/null | head -n 1)" ]; then
      say "running the scripts of /docker-entrypoint.d/"
      for script in $(find /docker-entrypoint.d/ -follow -type f | sort -V); do
        case $script in
          *.envsh)
            if [ -x "$script" ]; then
              say "sourcing $script"
              . "$script"
            else
              say "ignoring $script: it is not executable"
            fi
            ;;
          *.sh)
            if [ -x "$script" ]; then
              say "running $script"
              "$script"
            else
              say "ignoring $script: it is not executable"
            fi
            ;;
          *) say "ignoring $script" ;;
        esac
      done
      say "ready for start up"
    else
      say "no scripts in /docker-entrypoint.d/"
    fi
    ;;
esac

exec "$@"
