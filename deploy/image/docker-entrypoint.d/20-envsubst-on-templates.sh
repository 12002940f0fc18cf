#!/bin/sh
# Makes configuration files of templates: /etc/nginx/templates/NAME.template becomes /etc/nginx/conf.d/NAME with the
# environment's variables in it. Variables of the configuration itself ($host) stay, since no such one is exported.
#   NGINX_ENVSUBST_TEMPLATE_DIR, _TEMPLATE_SUFFIX, _OUTPUT_DIR   where they lie, and where they go
#   NGINX_ENVSUBST_FILTER                                        only variables whose names match this pattern
#   NGINX_ENVSUBST_STREAM_TEMPLATE_SUFFIX, _STREAM_OUTPUT_DIR    the same for the stream block
set -e

say() {
  [ -n "${NGINX_ENTRYPOINT_QUIET_LOGS:-}" ] || echo "${0##*/}: $*"
}

templates=${NGINX_ENVSUBST_TEMPLATE_DIR:-/etc/nginx/templates}
suffix=${NGINX_ENVSUBST_TEMPLATE_SUFFIX:-.template}
output=${NGINX_ENVSUBST_OUTPUT_DIR:-/etc/nginx/conf.d}
stream_suffix=${NGINX_ENVSUBST_STREAM_TEMPLATE_SUFFIX:-.stream-template}
stream_output=${NGINX_ENVSUBST_STREAM_OUTPUT_DIR:-/etc/nginx/stream-conf.d}
[ -d "$templates" ] || exit 0

defined=$(awk -v filter="${NGINX_ENVSUBST_FILTER:-}" 'END { for (name in ENVIRON) if (name ~ filter) printf "${%s} ", name }' /dev/null)

# substitute SUFFIX FOLDER
substitute() {
  find "$templates" -follow -type f -name "*$1" | sort | while read -r template; do
    relative=${template#"$templates"/}
    target=$2/${relative%"$1"}
    if [ ! -w "$2" ]; then
      say "$2 cannot be written, so $template is left out"
      continue
    fi
    mkdir -p "${target%/*}"
    say "$template becomes $target"
    envsubst "$defined" <"$template" >"$target"
  done
}

substitute "$suffix" "$output"
if [ -n "$(find "$templates" -follow -type f -name "*$stream_suffix" | head -n 1)" ]; then
  mkdir -p "$stream_output"
  substitute "$stream_suffix" "$stream_output"
fi
