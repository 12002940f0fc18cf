/** The manifests and the chart: valid, consistent, and with configurations that load. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { Deployment } from 'kubernetes-models/apps/v1/Deployment'
import { HorizontalPodAutoscaler } from 'kubernetes-models/autoscaling/v2/HorizontalPodAutoscaler'
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1/PodDisruptionBudget'
import { ConfigMap } from 'kubernetes-models/v1/ConfigMap'
import { Service } from 'kubernetes-models/v1/Service'
import { parseAllDocuments } from 'yaml'
import { missing, ROOT, run } from './machine.ts'

/** A manifest as far as the tests look at it. */
interface Manifest {
  readonly kind: string
  readonly apiVersion: string
  readonly data?: Readonly<Record<string, string>>
  readonly spec?: {
    readonly replicas?: number
    readonly metrics?: readonly {
      readonly type: string
      readonly pods?: { readonly metric: { readonly name: string } }
    }[]
    readonly podMetricsEndpoints?: readonly { readonly port: string }[]
    readonly template?: {
      readonly metadata: { readonly annotations?: Readonly<Record<string, string>> | null }
      readonly spec: {
        readonly terminationGracePeriodSeconds: number
        readonly containers: readonly {
          readonly args: readonly string[]
          readonly ports: readonly { readonly name: string; readonly containerPort: number }[]
          readonly lifecycle: { readonly preStop: { readonly exec: { readonly command: readonly string[] } } }
        }[]
        readonly volumes: readonly {
          readonly configMap?: { readonly items: readonly { readonly key: string; readonly path: string }[] }
        }[]
      }
    }
  }
}

/** The published schemas, by kind. */
const MODELS: Readonly<Record<string, new (data: never) => { validate(): void }>> = {
  ConfigMap,
  Deployment,
  Service,
  PodDisruptionBudget,
  HorizontalPodAutoscaler,
}
const CHART = path.join(ROOT, 'deploy/kubernetes/chart')

function read(text: string): Manifest[] {
  return parseAllDocuments(text)
    .map((document) => document.toJS() as Manifest | null)
    .filter((manifest) => manifest !== null)
}

/** Checks each against its schema, and the end of a pod against its grace period. */
function check(manifests: readonly Manifest[], kinds: readonly string[]): Manifest {
  assert.deepEqual(manifests.map(({ kind }) => kind).toSorted(), kinds.toSorted())
  for (const manifest of manifests)
    if (manifest.kind in MODELS) new MODELS[manifest.kind]!(manifest as never).validate()
  const deployment = manifests.find(({ kind }) => kind === 'Deployment')!
  const { terminationGracePeriodSeconds, containers } = deployment.spec!.template!.spec
  const texts = Object.values(manifests.find(({ kind }) => kind === 'ConfigMap')!.data!).join('\n')
  const shutdown = Number(/worker_shutdown_timeout (\d+)s;/.exec(texts)?.[1])
  const preStop = Number(containers[0]!.lifecycle.preStop.exec.command[1])
  assert.ok(preStop + shutdown < terminationGracePeriodSeconds, `${preStop} + ${shutdown} s`)
  return deployment
}

/** Lays the files of the configuration out as the volume does, and loads them. */
function load(manifests: readonly Manifest[]): void {
  const { data } = manifests.find(({ kind }) => kind === 'ConfigMap')!
  const { volumes } = manifests.find(({ kind }) => kind === 'Deployment')!.spec!.template!.spec
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'viaduct-map-'))
  try {
    for (const { key, path: name } of volumes.find(({ configMap }) => configMap !== undefined)!.configMap!.items) {
      const text = data![key]!.replaceAll('/etc/viaduct/', `${folder}/`).replaceAll('/etc/nginx/', `${ROOT}conf/`)
      fs.mkdirSync(path.dirname(path.join(folder, name)), { recursive: true })
      // The names of a cluster are not known here.
      fs.writeFileSync(path.join(folder, name), text.replaceAll('kube-dns.kube-system.svc.cluster.local', '127.0.0.1'))
    }
    run(path.join(ROOT, 'bin/viaduct'), ['-t', '-e', 'stderr', '-c', path.join(folder, 'nginx.conf')])
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

test('the plain manifests', () => {
  const manifests = read(fs.readFileSync(path.join(ROOT, 'deploy/kubernetes/manifests/viaduct.yaml'), 'utf8'))
  check(manifests, Object.keys(MODELS))
  load(manifests)
})

test('the chart', { skip: missing('go') ?? false }, async (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'viaduct-chart-'))
  const render = path.join(folder, 'render')
  const env = { ...process.env, GO111MODULE: 'off', GOPATH: '/usr/share/gocode' }
  const cwd = path.join(ROOT, 'test/deploy/render')
  const made = spawnSync('go', ['build', '-o', render, '.'], { cwd, env, encoding: 'utf8' })
  if (made.status !== 0) return t.skip(`the renderer cannot be built: ${made.stderr}`)
  const rendered = (values: string) => {
    fs.writeFileSync(path.join(folder, 'values.yaml'), values)
    return read(run(render, [CHART, path.join(folder, 'values.yaml')]))
  }
  try {
    const always = ['ConfigMap', 'Deployment', 'Service']
    await t.test('as it is', () => {
      const manifests = rendered('')
      const deployment = check(manifests, [...always, 'PodDisruptionBudget'])
      assert.equal(deployment.spec!.replicas, 2)
      assert.equal(deployment.spec!.template!.spec.containers[0]!.args[0], '/watch-configuration.sh')
      load(manifests)
    })
    await t.test('pods are replaced when the configuration changes', () => {
      const sum = (text: string) => {
        const deployment = check(rendered(`onChange: rollout\nconfiguration:\n  extra.conf: "${text}"\n`), [
          ...always,
          'PodDisruptionBudget',
        ])
        assert.equal(deployment.spec!.template!.spec.containers[0]!.args[0], 'viaduct')
        return deployment.spec!.template!.metadata.annotations!['checksum/configuration']
      }
      assert.match(sum('# one') ?? '', /^[0-9a-f]{64}$/)
      assert.notEqual(sum('# one'), sum('# two'))
    })
    await t.test('everything that can be set', () => {
      const manifests = rendered(`
autoscaling: { enabled: true, metrics: [{ type: Pods, pods: { metric: { name: x }, target: { type: AverageValue, averageValue: "1" } } }] }
disruptionBudget: { enabled: false }
imagePullSecrets: [{ name: registry }]
podAnnotations: { prometheus.io/scrape: "true" }
nodeSelector: { kubernetes.io/os: linux }
tolerations: [{ key: x, operator: Exists }]
affinity: { nodeAffinity: {} }
extraVolumes: [{ name: tls, secret: { secretName: tls } }]
extraVolumeMounts: [{ name: tls, mountPath: /etc/tls }]
extraEnv: [{ name: A, value: b }]
service: { type: LoadBalancer, annotations: { a: b } }
ports: [{ name: http, containerPort: 8080, servicePort: 80 }, { name: https, containerPort: 8443, servicePort: 443 }]
`)
      const deployment = check(manifests, [...always, 'HorizontalPodAutoscaler'])
      assert.equal(deployment.spec!.replicas, undefined, 'the autoscaler decides')
      assert.equal(deployment.spec!.template!.spec.volumes.length, 3)
    })
    await t.test('the server’s own numbers, and an autoscaler that goes by them', () => checkAutoscaler(rendered))
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
})

function checkAutoscaler(rendered: (values: string) => Manifest[]): void {
  const off = rendered('autoscaling: { enabled: true, targetRequestsPerSecond: 500 }').map(({ kind }) => kind)
  assert.ok(!off.includes('PodMonitor'))
  const manifests = rendered(`
metrics: { enabled: true, port: 9200, podMonitor: { enabled: true, labels: { release: prometheus } } }
autoscaling: { enabled: true, targetCPUUtilizationPercentage: 0, targetRequestsPerSecond: 500, targetEventLoopUtilizationPercentage: 70 }
disruptionBudget: { enabled: false }
`)
  const deployment = check(manifests, ['ConfigMap', 'Deployment', 'Service', 'HorizontalPodAutoscaler', 'PodMonitor'])
  const { metadata, spec } = deployment.spec!.template!
  assert.equal(metadata.annotations!['prometheus.io/port'], '9200')
  assert.deepEqual(spec.containers[0]!.ports.at(-1), { name: 'metrics', containerPort: 9200 })
  const monitor = manifests.find(({ kind }) => kind === 'PodMonitor')!
  assert.equal(monitor.spec!.podMetricsEndpoints![0]!.port, 'metrics')
  const { metrics } = manifests.find(({ kind }) => kind === 'HorizontalPodAutoscaler')!.spec!
  assert.deepEqual(
    metrics!.map(({ type, pods }) => [type, pods?.metric.name]),
    [...adapterRules().keys()].map((name) => ['Pods', name]),
  )
  load(manifests)
}

/** The queries that prometheus-adapter makes for a pod, by the names of the metrics. */
function adapterRules(): ReadonlyMap<string, string> {
  interface Rule {
    readonly seriesQuery: string
    readonly name: { readonly as: string }
    readonly metricsQuery: string
  }
  const [values] = read(fs.readFileSync(path.join(ROOT, 'deploy/kubernetes/prometheus-adapter.yaml'), 'utf8'))
  const { custom } = (values as unknown as { readonly rules: { readonly custom: readonly Rule[] } }).rules
  return new Map(
    custom.map(({ seriesQuery, name, metricsQuery }) => [
      name.as,
      metricsQuery
        .replaceAll('<<.Series>>', seriesQuery.split('{')[0]!)
        .replaceAll('<<.LabelMatchers>>', 'namespace="shop",pod=~"web-1|web-2"')
        .replaceAll('<<.GroupBy>>', 'pod'),
    ]),
  )
}

test('what the autoscaler is told of two pods', { skip: missing('promtool') ?? false }, () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'viaduct-rules-'))
  const series = (name: string, pod: string, worker: number, values: string) => ({
    series: `${name}{namespace="shop",pod="${pod}",worker="${worker}"}`,
    values,
  })
  const requests = 'viaduct_worker_requests_total'
  const busy = 'viaduct_worker_event_loop_busy_ratio'
  const expected: Readonly<Record<string, readonly [number, number]>> = {
    viaduct_requests_per_second: [30, 5],
    viaduct_event_loop_utilization_percent: [40, 10],
  }
  try {
    const file = path.join(folder, 'test.yaml')
    const promqlTests = [...adapterRules()].map(([name, expr]) => ({
      expr,
      eval_time: '5m',
      exp_samples: expected[name]!.map((value, n) => ({ labels: `{pod="web-${n + 1}"}`, value })),
    }))
    const rules = {
      tests: [
        {
          interval: '1m',
          input_series: [
            series(requests, 'web-1', 0, '0+600x10'),
            series(requests, 'web-1', 1, '0+1200x10'),
            series(requests, 'web-2', 0, '0+300x10'),
            series(busy, 'web-1', 0, '0.2x10'),
            series(busy, 'web-1', 1, '0.6x10'),
            series(busy, 'web-2', 0, '0.1x10'),
          ],
          promql_expr_test: promqlTests,
        },
      ],
    }
    // JSON is YAML.
    fs.writeFileSync(file, JSON.stringify(rules))
    run('promtool', ['test', 'rules', file])
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
})
