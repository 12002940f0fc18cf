/** A Prometheus that scrapes `metrics`, and what it then knows. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { Peer, reply } from '../harness/peer.ts'
import { freePorts } from '../harness/ports.ts'
import { startViaduct } from '../harness/server.ts'

const has = spawnSync('sh', ['-c', 'command -v prometheus']).status === 0
/** A machine that has much else to do takes its time with a database that starts. */
const WAIT_MAX_MS = 60_000

/** A Prometheus that asks one address twice a second, in a folder of its own. */
class Prometheus implements AsyncDisposable {
  readonly #dir = fs.mkdtempSync(path.join(os.tmpdir(), 'viaduct-prometheus-'))
  readonly #child: ReturnType<typeof spawn>
  readonly #url: string
  #said = ''
  #ended = false

  constructor(port: number, target: string, metricsPath: string) {
    const file = path.join(this.#dir, 'prometheus.yml')
    const scrape = `{job_name: viaduct, scrape_interval: 500ms, metrics_path: ${metricsPath}, static_configs: [{targets: ['${target}']}]}`
    fs.writeFileSync(file, `scrape_configs: [${scrape}]\n`)
    this.#url = `http://127.0.0.1:${port}`
    const words = [
      `--config.file=${file}`,
      `--storage.tsdb.path=${path.join(this.#dir, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ]
    this.#child = spawn('prometheus', words, { stdio: ['ignore', 'ignore', 'pipe'] })
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#said += text
    })
    this.#child.once('close', () => {
      this.#ended = true
    })
  }

  /** Asks until there is an answer that is not empty: by labels, the last value. */
  async query(expression: string): Promise<ReadonlyMap<string, number>> {
    const deadline = performance.now() + WAIT_MAX_MS
    for (;;) {
      const found = await this.#ask(expression)
      if (found.size > 0) return found
      assert.ok(!this.#ended && performance.now() < deadline, `${expression} has no series\n${this.#said.slice(-3000)}`)
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }

  async #ask(expression: string): Promise<ReadonlyMap<string, number>> {
    interface Answer {
      readonly data?: { readonly result: readonly { metric: Record<string, string>; value: [number, string] }[] }
    }
    const url = `${this.#url}/api/v1/query?query=${encodeURIComponent(expression)}`
    const answer = await fetch(url).then(
      (response) => (response.ok ? (response.json() as Promise<Answer>) : undefined),
      () => undefined,
    )
    return new Map(
      (answer?.data?.result ?? []).map(({ metric, value }) => {
        const { __name__: _, instance: __, job: ___, ...labels } = metric
        return [JSON.stringify(labels), Number(value[1])]
      }),
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#ended) {
      const closed = new Promise((resolve) => this.#child.once('close', resolve))
      this.#child.kill('SIGKILL')
      await closed
    }
    fs.rmSync(this.#dir, { recursive: true })
  }
}

test('a real Prometheus reads the page', { skip: !has }, async () => {
  await using peer = await Peer.start(() => reply('yes'))
  await using server = await startViaduct(
    `worker_processes 2;
http {
  upstream u { zone u 64k; server 127.0.0.1:${peer.port}; }
  server {
    listen 127.0.0.1:%%PORT_0%%;
    location / { status_zone "a \\"zone\\" {of=\\\\ours}"; proxy_pass http://u; }
    location = /metrics { metrics compat=plus,vts; }
  }
}`,
    // Prometheus keeps its connection.
    { busyAtEnd: 'Prometheus is ended after the server' },
  )
  for (let n = 0; n < 3; n++) assert.equal(await (await fetch(server.url('/'))).text(), 'yes')
  const [port] = await freePorts(1)
  await using prometheus = new Prometheus(port!, `127.0.0.1:${server.port()}`, '/metrics')
  assert.deepEqual([...(await prometheus.query('up == 1')).values()], [1])
  const zone = 'location_zone="a \\"zone\\" {of=\\\\ours}"'
  assert.deepEqual([...(await prometheus.query(`viaduct_location_responses_total{${zone},code="200"}`)).values()], [3])
  const quantiles = await prometheus.query(
    `histogram_quantile(0.5, sum by (le) (viaduct_location_request_duration_seconds_bucket))`,
  )
  assert.ok([...quantiles.values()].every((seconds) => seconds >= 0 && seconds <= 10))
  const up = await prometheus.query('viaduct_upstream_server_state')
  assert.deepEqual([...up], [[JSON.stringify({ id: '0', server: `127.0.0.1:${peer.port}`, upstream: 'u' }), 1]])
  assert.ok([...(await prometheus.query('nginx_http_requests_total')).values()][0]! >= 3)
  assert.equal([...(await prometheus.query('nginxplus_up')).values()][0], 1)
  assert.ok((await prometheus.query('nginx_vts_main_connections')).size >= 7)
  // What the server sent was understood whole: nothing was dropped.
  const scraped = [...(await prometheus.query('scrape_samples_scraped')).values()][0]
  assert.equal([...(await prometheus.query('scrape_samples_post_metric_relabeling')).values()][0], scraped)
})
