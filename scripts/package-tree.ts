/**
 * Lays out an installed Viaduct in a folder, as the image and the Debian package have it:
 *
 *     node scripts/package-tree.ts FOLDER            the program: /usr/lib/viaduct, /usr/sbin/viaduct
 *     node scripts/package-tree.ts --image FOLDER    and what an image needs: /etc/nginx, html, entry point
 *
 * Needs `npm run build` before. The Node that runs this is the one that is packed.
 */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const HOME = 'usr/lib/viaduct'

const { values, positionals } = parseArgs({
  options: { image: { type: 'boolean', default: false } },
  allowPositionals: true,
})
const [folder] = positionals
if (folder === undefined || positionals.length !== 1) {
  console.error('usage: node scripts/package-tree.ts [--image] FOLDER')
  process.exit(1)
}
if (!fs.existsSync(path.join(ROOT, 'dist/main.js'))) {
  console.error("package-tree: nothing is built: run 'npm run build' first")
  process.exit(1)
}
const target = path.resolve(folder)
layOutProgram()
if (values.image) layOutImage()

function put(from: string, to: string): void {
  fs.cpSync(path.join(ROOT, from), path.join(target, to), { recursive: true, dereference: true })
}

function layOutProgram(): void {
  for (const name of ['dist', 'conf', 'docs/explained', 'LICENSE', 'package.json']) put(name, `${HOME}/${name}`)
  productionDependencies()
  fs.mkdirSync(path.join(target, HOME, 'bin'), { recursive: true })
  fs.copyFileSync(fs.realpathSync(process.execPath), path.join(target, HOME, 'bin/node'))
  // Symbols of the binary are a sixth of it; where there is no strip, they stay.
  spawnSync('strip', ['--strip-unneeded', path.join(target, HOME, 'bin/node')])
  put('deploy/image/launcher.sh', 'usr/sbin/viaduct')
}

/** What package.json names as needed while serving, with what that needs. */
function productionDependencies(): void {
  const packed = new Set<string>()
  const pack = (folder: string): void => {
    const { dependencies, optionalDependencies } = JSON.parse(
      fs.readFileSync(path.join(ROOT, folder, 'package.json'), 'utf8'),
    ) as Record<'dependencies' | 'optionalDependencies', Record<string, string> | undefined>
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
      const place = `node_modules/${name}`
      if (packed.has(name) || !fs.existsSync(path.join(ROOT, place))) continue
      packed.add(name)
      put(place, `${HOME}/${place}`)
      pack(place)
    }
  }
  pack('.')
}

function layOutImage(): void {
  put('deploy/image/docker-entrypoint.sh', 'docker-entrypoint.sh')
  put('deploy/image/watch-configuration.sh', 'watch-configuration.sh')
  put('deploy/image/docker-entrypoint.d', 'docker-entrypoint.d')
  put('deploy/image/etc', 'etc/nginx')
  put('deploy/image/etc/conf.d/default.conf', `${HOME}/image/default.conf`)
  put('deploy/image/healthy.js', `${HOME}/image/healthy.js`)
  put('deploy/image/html', 'usr/share/nginx/html')
  for (const name of fs.readdirSync(path.join(ROOT, 'conf'))) {
    if (name !== 'nginx.conf') put(`conf/${name}`, `etc/nginx/${name}`)
  }
  put('deploy/image/launcher.sh', 'usr/sbin/nginx')
  for (const name of ['var/cache/nginx', 'var/log/nginx']) fs.mkdirSync(path.join(target, name), { recursive: true })
  // Logs go to whoever runs the container.
  fs.symlinkSync('/dev/stdout', path.join(target, 'var/log/nginx/access.log'))
  fs.symlinkSync('/dev/stderr', path.join(target, 'var/log/nginx/error.log'))
}
