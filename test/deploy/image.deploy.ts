/**
 * The image, made and run: in the place of nginx's in the Compose file of examples/fastapi-vite, and as any user. Where
 * images cannot be made, the same tree is run in a folder that is the root to it; the test says which it was.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { parse } from 'yaml'
import { debianRoot, inNamespaces, missing, noDebian, ROOT, run } from './machine.ts'

const EXAMPLE = path.join(ROOT, 'examples/fastapi-vite')
const skip = missing('debootstrap', 'unshare', 'curl', 'ip', 'python3', 'uvicorn') ?? noDebian() ?? false

interface Service {
  readonly image?: string
  readonly build?: { readonly context: string; readonly dockerfile: string }
  readonly ports?: readonly string[]
  readonly volumes?: readonly string[]
  readonly depends_on?: readonly string[]
}

const compose = parse(fs.readFileSync(path.join(EXAMPLE, 'docker-compose.prod.yml'), 'utf8')) as {
  readonly services: Readonly<Record<string, Service>>
  readonly volumes: Readonly<Record<string, unknown>>
}

let work = ''
let how: 'buildah' | 'chroot' = 'chroot'

before(() => {
  if (skip !== false) return
  work = fs.mkdtempSync(path.join(os.tmpdir(), 'viaduct-image-'))
  run(process.execPath, [path.join(ROOT, 'scripts/package-tree.ts'), '--image', path.join(work, 'tree')])
  how = makesImages() ? 'buildah' : 'chroot'
})

after(() => {
  if (work !== '') fs.rmSync(work, { recursive: true, force: true })
})

function buildah(...args: string[]): string {
  return run('buildah', ['--root', `${work}/store`, '--runroot', `${work}/run`, '--storage-driver', 'vfs', ...args])
}

/** Makes both images; false where that is forbidden. */
function makesImages(): boolean {
  if (spawnSync('buildah', ['--version']).status !== 0) return false
  try {
    const base = buildah('from', 'scratch').trim()
    buildah('add', base, debianRoot(), '/')
    buildah('commit', base, 'localhost/base')
    for (const target of ['viaduct', 'unprivileged']) {
      const words = ['--isolation', 'chroot', '--format', 'docker', '--build-context', `tree=${work}/tree`]
      const file = path.join(ROOT, 'deploy/image/Containerfile')
      buildah('bud', ...words, '--build-arg', 'BASE=localhost/base', '--target', target, '-t', target, '-f', file, ROOT)
    }
    return true
  } catch (error) {
    console.log(`images cannot be made here: ${(error as Error).message.slice(0, 500)}`)
    return false
  }
}

/** The shell's words that run the image's entry point, with files of the host at places in it. */
function container(image: string, user: string, mounts: Readonly<Record<string, string>>, env = ''): string {
  if (how === 'buildah') {
    const store = `buildah --root ${work}/store --runroot ${work}/run --storage-driver vfs`
    const volumes = Object.entries(mounts).map(([to, from]) => `-v ${from}:${to}`)
    const words = env === '' ? '' : `--env ${env}`
    const name = `${image}-${user.replace(/\W/g, '')}`
    return `${store} from --pull-never --name ${name} localhost/${image} >/dev/null; ${store} run --isolation chroot --user ${user} ${words} ${volumes.join(' ')} ${name} --`
  }
  const copies = Object.entries(mounts).map(
    ([to, from]) => `mkdir -p /mnt${path.dirname(to)}; cp -a ${from} /mnt${to};`,
  )
  return `mount -t tmpfs tmpfs /mnt; cp -a ${debianRoot()}/. /mnt/; cp -a ${work}/tree/. /mnt/; mount --bind /dev /mnt/dev; mount -t proc proc /mnt/proc; chroot /mnt useradd --system nginx; ${copies.join(' ')} chroot --userspec ${user} /mnt env ${env}`
}

test('the Compose file', () => {
  const { nginx, backend } = compose.services
  assert.deepEqual(Object.keys(compose.services), ['nginx', 'backend'])
  for (const mount of nginx!.volumes!) {
    const [from] = mount.split(':') as [string]
    if (from.startsWith('./')) assert.ok(fs.existsSync(path.join(EXAMPLE, from)) || from.endsWith('/dist'), from)
    else assert.ok(from in compose.volumes, from)
  }
  for (const name of nginx!.depends_on!) assert.ok(name in compose.services, name)
  assert.ok(fs.existsSync(path.join(EXAMPLE, backend!.build!.context, backend!.build!.dockerfile)))
})

test('the services of the Compose file serve', { skip }, (t) => {
  t.diagnostic(how === 'buildah' ? 'run in the image' : 'run in a folder: images cannot be made here')
  const page = path.join(work, 'dist')
  fs.mkdirSync(page)
  fs.writeFileSync(path.join(page, 'index.html'), '<!doctype html><title>built</title>')
  const httpConf = path.join(work, 'http.conf')
  // Compose's names are not here.
  const text = fs.readFileSync(path.join(EXAMPLE, 'conf/nginx/http.conf'), 'utf8')
  fs.writeFileSync(httpConf, text.replace('backend:8000 resolve', '127.0.0.1:8000'))
  const dockerfile = fs.readFileSync(path.join(EXAMPLE, 'backend/Dockerfile.prod'), 'utf8')
  const command = JSON.parse(/^CMD (.*)$/m.exec(dockerfile)![1]!) as string[]
  const inImage = container('viaduct', 'root', {
    '/etc/nginx/http.conf': httpConf,
    '/etc/nginx/nginx.conf': path.join(EXAMPLE, 'conf/nginx/prod.nginx'),
    '/usr/share/nginx/html': page,
  })
  const steps = inNamespaces(`
    cd ${EXAMPLE}/backend
    ${command.map((word) => `'${word}'`).join(' ')} > ${work}/backend.log 2>&1 & backend=$!
    until_served http://127.0.0.1:8000/api/items
    (${inImage} /docker-entrypoint.sh nginx -g 'daemon off;'; echo "status $?") > ${work}/nginx.log 2>&1 & server=$!
    step up until_served http://127.0.0.1/
    step page curl -s http://127.0.0.1/some/route
    step first curl -si http://127.0.0.1/api/items/1
    step second curl -si http://127.0.0.1/api/items/1
    master=$(pgrep -f '[n]ginx: master process' | head -n 1)
    step name ps -o args= -p $master
    kill -QUIT $master; wait $server
    kill $backend
    step log cat ${work}/nginx.log
  `)
  const said = (name: string) => steps.get(name)?.text ?? ''
  assert.equal(steps.get('up')?.status, 0, said('log'))
  assert.match(said('page'), /<title>built<\/title>/)
  assert.match(said('first'), /HTTP\/1\.1 200 OK[\s\S]*"name":"arch"/, said('log'))
  assert.match(said('second'), /X-Cache: (HIT|MISS|EXPIRED|UPDATING|STALE)/)
  assert.match(said('name'), /nginx: master process -g daemon off;/)
  assert.match(said('log'), /GET \/some\/route[\s\S]*status 0/)
})

test('any user, and templates', { skip }, () => {
  const templates = path.join(work, 'templates')
  fs.mkdirSync(templates)
  fs.writeFileSync(
    path.join(templates, 'hello.conf.template'),
    'server { listen 8081; return 200 "hello $' + '{NAME} $uri"; }',
  )
  if (how === 'chroot') return
  const inImage = container('unprivileged', '101', { '/etc/nginx/templates': templates }, 'NAME=World')
  const steps = inNamespaces(`
    (${inImage} /docker-entrypoint.sh nginx -g 'daemon off;'; echo "status $?") > ${work}/any.log 2>&1 & server=$!
    step up until_served http://127.0.0.1:8081/
    step hello curl -s http://127.0.0.1:8081/there
    step page curl -si http://127.0.0.1:8080/
    master=$(pgrep -f '[n]ginx: master process' | head -n 1)
    step user ps -o uid= -p $master
    step six grep -c :1F90 /proc/net/tcp6
    kill -QUIT $master; wait $server
    step log cat ${work}/any.log
  `)
  const said = (name: string) => steps.get(name)?.text ?? ''
  assert.equal(said('hello'), 'hello World /there', said('log'))
  assert.match(said('page'), /^HTTP\/1\.1 200 OK[\s\S]*Viaduct serves/)
  assert.equal(said('user').trim(), '101')
  assert.ok(Number(said('six')) > 0, 'IPv6 is listened on')
  assert.match(said('log'), /hello\.conf[\s\S]*status 0/)
})

interface ImageConfig {
  readonly StopSignal: string
  readonly Healthcheck: { readonly Test: readonly string[] }
  readonly Entrypoint: readonly string[]
  readonly Cmd: readonly string[]
  readonly User: string
}

test('a root that cannot be written to, and the health check', { skip }, (t) => {
  if (how === 'chroot') {
    t.diagnostic('not run: images cannot be made here')
    return
  }
  const inspected = JSON.parse(buildah('inspect', '--type', 'image', 'localhost/unprivileged')) as {
    readonly Docker: { readonly config: ImageConfig }
  }
  const { StopSignal, Healthcheck, Entrypoint, Cmd, User } = inspected.Docker.config
  const [kind, ...check] = Healthcheck.Test
  assert.equal(kind, 'CMD')
  buildah('from', '--pull-never', '--name', 'readonly', 'localhost/unprivileged')
  const root = buildah('mount', 'readonly').trim()
  const within = `chroot --userspec ${User}:${User} /mnt env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`
  const words = (list: readonly string[]) => list.map((word) => `'${word}'`).join(' ')
  const steps = inNamespaces(`
    mount --bind ${root} /mnt; mount -o remount,bind,ro /mnt
    mount -t tmpfs tmpfs /mnt/tmp; mount --bind /dev /mnt/dev; mount -t proc proc /mnt/proc
    step write ${within} touch /etc/nginx/written
    step early ${within} ${words(check)}
    (${within} ${words(Entrypoint)} ${words(Cmd)}; echo "status $?") > ${work}/readonly.log 2>&1 & server=$!
    step up until_served http://127.0.0.1:8080/
    step page curl -si http://127.0.0.1:8080/
    head -c 100000 /dev/zero > ${work}/body
    step upload curl -si -X PUT --data-binary @${work}/body http://127.0.0.1:8080/
    step healthy ${within} ${words(check)}
    step asked ${within} VIADUCT_HEALTH=http://127.0.0.1:8080/ ${words(check)}
    step wrong ${within} VIADUCT_HEALTH=http://127.0.0.1:1/ ${words(check)}
    kill -${StopSignal.replace('SIG', '')} $(pgrep -f '[n]ginx: master process' | head -n 1); wait $server
    step late ${within} ${words(check)}
    step log cat ${work}/readonly.log
  `)
  const said = (name: string) => steps.get(name)?.text ?? ''
  assert.match(said('write'), /Read-only file system/)
  assert.match(said('page'), /^HTTP\/1\.1 200 OK[\s\S]*Viaduct serves/, said('log'))
  assert.match(said('upload'), /^HTTP\/1\.1 405/m)
  const checks = ['early', 'healthy', 'asked', 'wrong', 'late'].map((name) => `${name} ${steps.get(name)?.status}`)
  assert.deepEqual(checks, ['early 1', 'healthy 0', 'asked 0', 'wrong 1', 'late 1'], said('log'))
  assert.match(said('log'), /status 0/)
  assert.doesNotMatch(said('log'), /\[(emerg|alert|crit)\]/)
})
