/** nginx itself as the back end: what node:tls on both sides could agree on by mistake, OpenSSL as nginx drives it does not. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import net from 'node:net'
import { after, test } from 'node:test'
import { Certificates } from '../harness/certificates.ts'
import { freePorts } from '../harness/ports.ts'
import { startViaduct } from '../harness/server.ts'
import { until } from '../harness/wait.ts'

const NGINX = '/usr/sbin/nginx'
const certificates = new Certificates()
after(() => certificates.remove())

/** Starts nginx with a server of its own; it ends with the test. */
async function startNginx(server: string): Promise<{ port: number } & AsyncDisposable> {
  const [port] = await freePorts(1)
  const dir = certificates.dir
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${dir}/${name};`)
  const conf = `daemon off; pid ${dir}/nginx.pid; error_log ${dir}/nginx.log info; events { }
    http { access_log off; ${paths.join(' ')}
      server { listen 127.0.0.1:${port} ssl; ${server} } }`
  fs.writeFileSync(`${dir}/nginx.conf`, conf)
  const child = spawn(NGINX, ['-p', dir, '-e', `${dir}/nginx.log`, '-c', `${dir}/nginx.conf`], { stdio: 'ignore' })
  const ended = once(child, 'exit')
  await until('nginx listens', () => listens(port!))
  return {
    port: port!,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM')
      await ended
    },
  }
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}

// Where nginx is not installed there is nothing to compare with.
if (fs.existsSync(NGINX)) {
  const root = certificates.make('root', { authority: true })
  const own = certificates.make('nginx.example', { issuer: root })
  const client = certificates.make('client', { issuer: root })

  test('verified on both sides, with the name told, sessions used again and a large body', async () => {
    await using back = await startNginx(`
      ssl_certificate ${own.certFile}; ssl_certificate_key ${own.keyFile};
      ssl_client_certificate ${root.certFile}; ssl_verify_client on;
      ssl_protocols TLSv1.2 TLSv1.3; client_max_body_size 20m; keepalive_timeout 0;
      location / { return 200 "$ssl_server_name $ssl_client_s_dn $ssl_protocol $ssl_session_reused"; }
      location /echo { proxy_pass http://127.0.0.1:1; error_page 502 =200 @size; }
      location @size { return 200 $request_length; }`)
    await using server = await startViaduct(`worker_processes 1; http {
      upstream back { server 127.0.0.1:${back.port}; }
      server { listen 127.0.0.1:%%PORT_0%%; client_max_body_size 20m;
        proxy_ssl_verify on; proxy_ssl_trusted_certificate ${root.certFile};
        proxy_ssl_certificate ${client.certFile}; proxy_ssl_certificate_key ${client.keyFile};
        proxy_ssl_name nginx.example; proxy_ssl_server_name on;
        location / { proxy_pass https://back; }
        location /old/ { proxy_pass https://back/; proxy_ssl_protocols TLSv1.2; }
    } }`)
    const get = async (path: string) => (await fetch(server.url(path))).text()
    assert.equal(await get('/'), 'nginx.example CN=client TLSv1.3 .')
    assert.equal(await get('/'), 'nginx.example CN=client TLSv1.3 r')
    assert.equal(await get('/old/'), 'nginx.example CN=client TLSv1.2 .')
    assert.equal(await get('/old/'), 'nginx.example CN=client TLSv1.2 r')
    const body = 'x'.repeat(10_000_000)
    const response = await fetch(server.url('/echo'), { method: 'POST', body })
    assert.ok(Number(await response.text()) > body.length)
  })
}
