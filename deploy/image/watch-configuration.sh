#!/bin/sh
# Starts a server, and reloads it when its configuration changes; for folders that are replaced as a whole, as those of
# a Kubernetes ConfigMap are (a link `..data` is set to a new folder).
#
#   watch-configuration.sh FILE COMMAND ...     FILE tells by where it lies what is watched
file=$1
shift
folder=${file%/*}

mark() {
  # The link where there is one, else what lies in the folder; a server may write its logs there, too.
  readlink "$folder/..data" || find "$folder" -type f ! -name '*.log' ! -name '*.pid' -exec cksum {} + | sort
}

"$@" &
server=$!
trap 'kill -QUIT $server' TERM QUIT INT
trap 'kill -HUP $server' HUP
seen=$(mark)
while kill -0 $server 2>/dev/null; do
  sleep "${VIADUCT_WATCH_SECONDS:-2}" &
  wait $!
  now=$(mark)
  if [ "$now" != "$seen" ]; then
    seen=$now
    echo "${0##*/}: $folder has changed" >&2
    kill -HUP $server
  fi
done
wait $server
