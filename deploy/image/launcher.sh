#!/bin/sh
# The installed server: becomes Node with the compiled package. It ends in exec, so the process that was started is the
# server itself. Under nginx's name it is nginx to whoever looks at processes.
case ${0##*/} in
  nginx*)
    VIADUCT_NAME=nginx
    export VIADUCT_NAME
    ;;
esac
# Compiled code is kept where the package has put it, or nowhere.
if [ -z "$NODE_COMPILE_CACHE" ] && [ -d /usr/lib/viaduct/code ]; then
  NODE_COMPILE_CACHE=/usr/lib/viaduct/code
  export NODE_COMPILE_CACHE
fi
VIADUCT_LAUNCHER=$0
export VIADUCT_LAUNCHER
exec /usr/lib/viaduct/bin/node --disable-warning=ExperimentalWarning --disable-warning=DEP0112 /usr/lib/viaduct/dist/main.js "$@"
