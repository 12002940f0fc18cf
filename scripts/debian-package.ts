/**
 * Makes two Debian packages in a folder:
 *
 *   viaduct            the program in /usr/lib/viaduct, /usr/sbin/viaduct, the unit files
 *   viaduct-as-nginx   /usr/sbin/nginx is Viaduct, by a diversion: Debian's own configuration, unit, init script and
 *                      logrotate go on working, and removing the package brings nginx back
 */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { ToolFailure } from '../src/tools/frame/tool.ts'
import { command } from './command.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const OWNER = 'Viaduct <viaduct@localhost>'
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' }

interface Control {
  readonly name: string
  readonly depends: string
  readonly summary: string
  /** The long description, one paragraph. */
  readonly text: string
}

const { version } = JSON.parse(fs.readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as { version: string }
const architecture = ARCHITECTURES[process.arch]

await command({
  called: 'node scripts/debian-package.ts',
  summary: 'makes the Debian packages viaduct and viaduct-as-nginx',
  usage: ['[FOLDER]'],
  about: 'In that folder, or here. Needs `npm run build` before, and dpkg-deb.',
  options: {},
  examples: [['/tmp/packages', 'for apt-get install /tmp/packages/*.deb']],
  run: (_, [folder = '.', more]) => {
    if (more !== undefined) throw new ToolFailure(`it takes one folder, not also "${more}"`)
    if (architecture === undefined) throw new ToolFailure(`no packages for ${process.arch}`)
    const out = path.resolve(folder)
    fs.mkdirSync(out, { recursive: true })
    const work = fs.mkdtempSync(path.join(os.tmpdir(), 'viaduct-deb-'))
    // What is packed is read by everybody.
    process.umask(0o022)
    fs.chmodSync(work, 0o755)
    try {
      program(work, out)
      asNginx(work, out)
    } finally {
      fs.rmSync(work, { recursive: true, force: true })
    }
    return 0
  },
})

function program(work: string, out: string): void {
  const tree = path.join(work, 'viaduct')
  run(process.execPath, [path.join(ROOT, 'scripts/package-tree.ts'), tree])
  put('deploy/systemd/viaduct.service', path.join(tree, 'usr/lib/systemd/system/viaduct.service'), 0o644)
  put('deploy/systemd/viaduct.socket', path.join(tree, 'usr/lib/systemd/system/viaduct.socket'), 0o644)
  pack(tree, out, {
    name: 'viaduct',
    depends: 'libc6 (>= 2.28), libstdc++6, libgcc-s1',
    summary: 'reverse proxy, load balancer and web server for nginx configurations',
    text: 'Runs nginx configurations unchanged, and has what nginx lacks or sells. Carries its own Node.',
  })
}

function asNginx(work: string, out: string): void {
  const tree = path.join(work, 'viaduct-as-nginx')
  put('deploy/image/launcher.sh', path.join(tree, 'usr/sbin/nginx'), 0o755)
  for (const name of ['preinst', 'postinst', 'postrm']) {
    put(`deploy/debian/${name}`, path.join(tree, 'DEBIAN', name), 0o755)
  }
  pack(tree, out, {
    name: 'viaduct-as-nginx',
    depends: `viaduct (= ${version}), nginx-common`,
    summary: 'Viaduct in the place of the nginx program',
    text: 'Diverts /usr/sbin/nginx. The configuration, unit, init script and log rotation of nginx-common stay as they are.',
  })
}

function pack(tree: string, out: string, { name, depends, summary, text }: Control): void {
  const lines = [
    `Package: ${name}`,
    `Version: ${version}`,
    `Architecture: ${architecture}`,
    `Maintainer: ${OWNER}`,
    `Depends: ${depends}`,
    'Section: httpd',
    'Priority: optional',
    `Description: ${summary}`,
    ` ${text}`,
  ]
  fs.mkdirSync(path.join(tree, 'DEBIAN'), { recursive: true })
  fs.writeFileSync(path.join(tree, 'DEBIAN/control'), `${lines.join('\n')}\n`)
  run('dpkg-deb', ['--root-owner-group', '-Zxz', '-z1', '--build', tree, out])
}

function put(from: string, to: string, mode: number): void {
  fs.mkdirSync(path.dirname(to), { recursive: true })
  fs.copyFileSync(path.join(ROOT, from), to)
  fs.chmodSync(to, mode)
}

function run(name: string, args: readonly string[]): void {
  const { status, error } = spawnSync(name, args, { stdio: 'inherit' })
  if (status !== 0) throw new ToolFailure(`${name} failed${error === undefined ? '' : `: ${error.message}`}`)
}
