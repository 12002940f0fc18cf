#!/bin/sh
# Sets worker_processes to what the container may use, when NGINX_ENTRYPOINT_WORKER_PROCESSES_AUTOTUNE is set: the
# least of the CPUs that are there, that it is bound to, and that its quota buys.
set -e

say() {
  [ -n "${NGINX_ENTRYPOINT_QUIET_LOGS:-}" ] || echo "${0##*/}: $*"
}

[ -n "${NGINX_ENTRYPOINT_WORKER_PROCESSES_AUTOTUNE:-}" ] || exit 0
file=/etc/nginx/nginx.conf
[ -w "$file" ] && [ -w "${file%/*}" ] || { say "$file cannot be written"; exit 0; }

workers=$(nproc)
if [ -r /sys/fs/cgroup/cpu.max ]; then
  read -r quota period </sys/fs/cgroup/cpu.max
elif [ -r /sys/fs/cgroup/cpu/cpu.cfs_quota_us ]; then
  quota=$(cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us)
  period=$(cat /sys/fs/cgroup/cpu/cpu.cfs_period_us)
fi
case ${quota:-max} in
  max | -*) ;;
  *)
    bought=$(((quota + period - 1) / period))
    [ "$bought" -ge "$workers" ] || workers=$bought
    ;;
esac
sed -i "s/^\(worker_processes\) .*;/# & (set by ${0##*\/})\n\1 $workers;/" "$file"
say "worker_processes is $workers"
