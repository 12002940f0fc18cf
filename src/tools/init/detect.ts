/** What an application is made of, by the files that its tools leave: package.json, pyproject.toml, composer.json, go.mod. */
import fs from 'node:fs'
import path from 'node:path'

/** A back end that is reached over HTTP, or PHP. */
export interface Backend {
  readonly kind: 'FastAPI' | 'Django' | 'Flask' | 'Express' | 'Next' | 'Go' | 'PHP'
  /** Relative to the project. */
  readonly folder: string
  /** Where it listens while one develops, and in production. */
  readonly port: number
  readonly command: string
}

/** Pages that are built (Vite) or simply there. */
export interface Frontend {
  readonly kind: 'Vite' | 'static'
  readonly folder: string
  /** Where the built files are, relative to the project. */
  readonly files: string
}

/** A project. */
export interface Project {
  readonly name: string
  readonly frontend: Frontend | undefined
  readonly backend: Backend | undefined
}

/** Folders that are no part of the application. */
const SKIPPED: ReadonlySet<string> = new Set([
  'node_modules',
  'conf',
  'docs',
  'test',
  'tests',
  'dist',
  'build',
  'vendor',
  'venv',
])

/** Looks at the folder and those in it. */
export function detect(root: string): Project {
  const folders = ['.', ...foldersIn(root)]
  const backends = folders.flatMap((folder) => backendIn(root, folder) ?? [])
  // Next is both, so it gives way to nothing but pages are asked of it.
  const backend = backends.find(({ kind }) => kind !== 'Express') ?? backends[0]
  const vite = folders.find((folder) => has(packageIn(root, folder), 'vite'))
  const plain = ['public', '.', 'site', 'www', 'html'].find((folder) =>
    fs.existsSync(path.join(root, folder, 'index.html')),
  )
  const name = path
    .basename(root)
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, '-')
  if (backend?.kind === 'Next' || backend?.kind === 'PHP') return { name, backend, frontend: undefined }
  if (vite !== undefined)
    return { name, backend, frontend: { kind: 'Vite', folder: vite, files: path.join(vite, 'dist') } }
  const frontend = plain === undefined ? undefined : ({ kind: 'static', folder: plain, files: plain } as const)
  return { name, backend, frontend }
}

function foldersIn(root: string): string[] {
  return fs
    .readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.') && !SKIPPED.has(entry.name))
    .map((entry) => entry.name)
    .sort()
}

function backendIn(root: string, folder: string): Backend | undefined {
  const at = (...names: readonly string[]): boolean =>
    names.some((name) => fs.existsSync(path.join(root, folder, name)))
  const python = ['requirements.txt', 'pyproject.toml', 'Pipfile', 'setup.py']
    .map((name) => read(root, folder, name))
    .join('\n')
  if (/\bfastapi\b/i.test(python))
    return { kind: 'FastAPI', folder, port: 8000, command: 'uvicorn app:app --port 8000 --reload' }
  if (at('manage.py') || /\bdjango\b/i.test(python))
    return { kind: 'Django', folder, port: 8000, command: 'python manage.py runserver 8000' }
  if (/\bflask\b/i.test(python)) return { kind: 'Flask', folder, port: 5000, command: 'flask run --port 5000' }
  if (at('go.mod')) return { kind: 'Go', folder, port: 8080, command: 'go run .' }
  if (at('composer.json', 'index.php', 'public/index.php'))
    return { kind: 'PHP', folder, port: 9000, command: 'php-fpm' }
  const json = packageIn(root, folder)
  if (has(json, 'next')) return { kind: 'Next', folder, port: 3000, command: 'npx next dev' }
  const server = ['express', 'fastify', 'koa', '@nestjs/core', 'hono'].find((name) => has(json, name))
  return server === undefined ? undefined : { kind: 'Express', folder, port: 3000, command: 'npm start' }
}

function read(root: string, folder: string, name: string): string {
  try {
    return fs.readFileSync(path.join(root, folder, name), 'utf8')
  } catch {
    return ''
  }
}

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
}

function packageIn(root: string, folder: string): Manifest {
  try {
    return JSON.parse(read(root, folder, 'package.json')) as Manifest
  } catch {
    return {}
  }
}

function has({ dependencies = {}, devDependencies = {} }: Manifest, name: string): boolean {
  return dependencies[name] !== undefined || devDependencies[name] !== undefined
}
