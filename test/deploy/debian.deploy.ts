/** The Debian packages, in a Debian of their own: installed beside nginx, in its place while it serves, and removed. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { debianRoot, inNamespaces, missing, noDebian, ROOT, run } from './machine.ts'

const skip = missing('debootstrap', 'dpkg-deb', 'unshare', 'curl', 'ip') ?? noDebian() ?? false

test('nginx becomes Viaduct and nginx again, and serves all the time', { skip }, () => {
  const root = debianRoot()
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'viaduct-packages-'))
  try {
    run(process.execPath, [path.join(ROOT, 'scripts/debian-package.ts'), folder])
    const steps = inNamespaces(`
      mount -t overlay overlay -o lowerdir=${root},upperdir=$(mktemp -d -p ${folder}),workdir=$(mktemp -d -p ${folder}) /mnt 2>/dev/null ||
        { mount -t tmpfs tmpfs /mnt; cp -a ${root}/. /mnt/; }
      mount -t proc proc /mnt/proc; mount --bind /dev /mnt/dev
      cp ${folder}/*.deb /mnt/tmp/
      jail() { chroot /mnt env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive "$@"; }
      server() { until_served http://127.0.0.1/; curl -si http://127.0.0.1/ | grep -i ^server:; }
      became() { for i in $(seq 100); do server | grep -qi "$1" && return; sleep 0.1; done; server; return 1; }
      # Asks without an end, and notes what was not answered.
      ask() { while [ ! -e /mnt/tmp/enough ]; do curl -s -o /dev/null --max-time 5 http://127.0.0.1/ || echo lost >> /mnt/tmp/lost; done; }
      step start jail service nginx start
      step before became nginx/
      ask & asking=$!
      step install jail sh -c 'dpkg -i /tmp/viaduct_*.deb /tmp/viaduct-as-nginx_*.deb'
      step untouched became nginx/
      step test jail nginx -t
      step upgrade jail service nginx upgrade
      step taken became viaduct/
      step reload jail service nginx reload
      step status jail service nginx status
      step rotate jail logrotate -f /etc/logrotate.d/nginx
      step serves became viaduct/
      step remove jail dpkg -r viaduct-as-nginx viaduct
      step back jail service nginx upgrade
      step again became nginx/
      touch /mnt/tmp/enough; wait $asking
      step lost sh -c 'cat /mnt/tmp/lost 2>/dev/null | wc -l'
      step files jail sh -c 'ls /usr/sbin | grep -E "nginx|viaduct"'
      step stop jail service nginx stop
    `)
    const text = (name: string) => steps.get(name)?.text ?? ''
    for (const [name, { status, text: shown }] of steps) assert.equal(status, 0, `${name}: ${shown}`)
    assert.equal(steps.size, 17)
    assert.match(text('install'), /diversion of \/usr\/sbin\/nginx to \/usr\/sbin\/nginx\.distrib/)
    assert.match(text('install'), /nginx goes on until you say/)
    assert.match(text('test'), /test is successful/)
    assert.match(text('status'), /nginx is running/)
    assert.equal(text('files').trim(), 'nginx')
    assert.equal(text('lost').trim(), '0')
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
})
