/** Rights: who the engine runs as, what it may still do, and limits that its master sets. Most of it needs root. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import http from 'node:http'
import { test } from 'node:test'
import { calls } from '../../src/sys/calls.ts'
import { type Server, startViaduct, withDefaults } from '../harness/server.ts'

const HTTP = 'http { server { listen 127.0.0.1:%%PORT_0%%; } }'
const NOBODY = 65534

const asRoot = process.geteuid?.() === 0 ? test : (): void => {}

asRoot('the engine runs as nobody unless told otherwise, with that group alone', async () => {
  await using server = await startViaduct(HTTP)
  const status = statusOf(enginePid(server))
  assert.match(status, new RegExp(`^Uid:\t${NOBODY}\t${NOBODY}\t${NOBODY}\t${NOBODY}$`, 'm'))
  assert.match(status, new RegExp(`^Gid:\t${NOBODY}\t${NOBODY}\t${NOBODY}\t${NOBODY}$`, 'm'))
  assert.match(status, new RegExp(`^Groups:\t${NOBODY} *$`, 'm'))
})

asRoot('a change of user replaces the engine, without a gap', async () => {
  await using server = await startViaduct(HTTP)
  const before = enginePid(server)
  server.prefix.write('nginx.conf', withDefaults(`user daemon; ${HTTP}`))
  server.signal('SIGHUP')
  let answers = 0
  await server.until('the old engine is gone', async () => {
    assert.match(await server.raw('GET / HTTP/1.0\n\n'), /^HTTP\/1.1 /)
    answers++
    return new RegExp(`worker process ${before} exited with code 0\n`).test(server.errorLog())
  })
  assert.ok(answers > 0)
  assert.match(statusOf(enginePid(server)), /^Uid:\t1\t1\t1\t1$/m)
})

asRoot('logs that only root may create are written after a reload and after USR1', async () => {
  await using server = await startViaduct(HTTP)
  await server.reload(`error_log %%DIR%%/error.log debug; error_log %%DIR%%/logs/second.log debug; ${HTTP}`)
  await server.raw('GET / HTTP/1.0\n\n')
  server.signal('SIGUSR1')
  // A thread of the engine says so, whose number is not the process's; before, the engine may still be opening files.
  await server.until('workers write', () =>
    /\b(\d+)#(?!\1:)\d+: reopening logs\n/.test(server.prefix.read('logs/second.log')),
  )
  fs.renameSync(`${server.dir}/logs/second.log`, `${server.dir}/logs/third.log`)
  server.signal('SIGUSR1')
  await server.until('a new file', () => fs.existsSync(`${server.dir}/logs/second.log`))
  await server.stop()
  assert.match(server.prefix.read('logs/second.log'), /: gracefully shutting down\n/)
})

asRoot('a folder that the workers may not enter does not keep them from logs opened at the start', async () => {
  await using server = await startViaduct(`error_log %%DIR%%/private/error.log debug; ${HTTP}`, {
    files: { 'private/.keep': '' },
    prepare: (dir) => fs.chmodSync(`${dir}/private`, 0o700),
  })
  await server.stop()
  assert.match(server.prefix.read('private/error.log'), /: gracefully shutting down\n/)
})

asRoot("worker_rlimit_nofile, worker_priority, working_directory and env are the engine's", async () => {
  const conf = 'worker_rlimit_nofile 777; worker_priority 5; working_directory /tmp; env ANSWER=42;'
  await using server = await startViaduct(`${conf} ${HTTP}`)
  const pid = enginePid(server)
  assert.match(fs.readFileSync(`/proc/${pid}/limits`, 'latin1'), /^Max open files +777 /m)
  assert.equal(fs.readlinkSync(`/proc/${pid}/cwd`), '/tmp')
  assert.deepEqual(priorities(pid), ['5'])
  await server.reload(`worker_rlimit_nofile 777; worker_priority 6; working_directory /; ${HTTP}`)
  assert.equal(fs.readlinkSync(`/proc/${pid}/cwd`), '/')
  assert.deepEqual(priorities(pid), ['6'])
  await server.reload(`worker_rlimit_nofile 777; worker_priority 6; ${HTTP}`)
  assert.equal(fs.readlinkSync(`/proc/${pid}/cwd`), process.cwd())
})

/** Those that threads of a process have. */
function priorities(pid: number): string[] {
  const tasks = `/proc/${pid}/task`
  const texts = fs.readdirSync(tasks).map((tid) => fs.readFileSync(`${tasks}/${tid}/stat`, 'latin1'))
  return [...new Set(texts.map((text) => text.replace(/^.*\) /, '').split(' ')[16]!))]
}

/** The CPUs of each worker thread, as the kernel says them. */
function workerCpus(server: Server): string[] {
  const tasks = `/proc/${enginePid(server)}/task`
  const statuses = fs.readdirSync(tasks).map((tid) => fs.readFileSync(`${tasks}/${tid}/status`, 'latin1'))
  const workers = statuses.filter((status) => /^Name:\tworker \d/.test(status)).toSorted()
  return workers.map((status) => /^Cpus_allowed_list:\t(.*)$/m.exec(status)![1]!)
}

test('worker_cpu_affinity binds each worker to its CPUs, and lets go of it again', async (t) => {
  const all = /^Cpus_allowed_list:\t(.*)$/m.exec(fs.readFileSync('/proc/self/status', 'latin1'))![1]!
  if (typeof calls() === 'string' || !/^0-[1-9]/.test(all)) return t.skip('one CPU, or no way to call the C library')
  await using server = await startViaduct(`worker_processes 3; worker_cpu_affinity 01 10; ${HTTP}`)
  assert.deepEqual(workerCpus(server), ['0', '1', '1'])
  assert.match(server.errorLog(), /\[notice\] .*sched_setaffinity\(\): using cpu #1\n/)
  await server.reload(`worker_processes 3; worker_cpu_affinity auto 11; ${HTTP}`)
  assert.deepEqual(workerCpus(server), ['0', '1', '0'])
  await server.reload(`worker_processes 3; worker_cpu_affinity auto; ${HTTP}`)
  assert.deepEqual(workerCpus(server).slice(0, 2), ['0', '1'])
  await server.reload(`worker_processes 3; ${HTTP}`)
  assert.deepEqual(workerCpus(server), [all, all, all])
})

test('a unix socket can be connected to by everybody, and its file goes with the server', async () => {
  await using server = await startViaduct('http { server { listen unix:%%DIR%%/http.sock; } }')
  const path = `${server.dir}/http.sock`
  assert.equal(fs.statSync(path).mode & 0o777, 0o666)
  const status = await new Promise((resolve, reject) => {
    http.get({ socketPath: path, path: '/' }, (response) => resolve(response.resume().statusCode)).on('error', reject)
  })
  assert.equal(typeof status, 'number')
  await server.stop('SIGTERM')
  assert.equal(fs.existsSync(path), false)
})

test('a socket file that is in the way refuses the start', async () => {
  await using server = await startViaduct('http { server { listen unix:%%DIR%%/http.sock; } }')
  const path = `${server.dir}/http.sock`
  const conf = `http { server { listen unix:${path}; } }`
  await assert.rejects(startViaduct(conf), /bind\(\) to unix:.*http.sock failed \(98: Address already in use\)/)
  assert.equal(fs.existsSync(path), true)
})

function enginePid(server: Server): number {
  const children = fs.readFileSync(`/proc/${server.pid}/task/${server.pid}/children`, 'latin1')
  return Number(children.trim().split(' ').at(-1))
}

function statusOf(pid: number): string {
  return fs.readFileSync(`/proc/${pid}/status`, 'latin1')
}
