/** What brings a project's production configuration to a machine: a Compose file or a systemd unit. */
import type { Project } from './detect.ts'
import type { InitOptions } from './files.ts'

/** Returns a Compose file: Viaduct, and the back end beside it. */
export function composeFile({ name, backend, frontend }: Project, { domain }: InitOptions): string {
  const php = backend?.kind === 'PHP'
  const volumes = [
    './conf/nginx/http.conf:/etc/nginx/http.conf:ro',
    './conf/nginx/prod.nginx:/etc/nginx/nginx.conf:ro',
    ...(frontend === undefined ? [] : [`./${frontend.files}:/usr/share/nginx/html:ro`]),
    ...(php ? [`./${backend.folder}/public:/usr/share/nginx/html:ro`] : []),
    ...(domain === undefined ? [] : ['/etc/letsencrypt:/etc/letsencrypt:ro']),
  ]
  return `${[
    `# ${name} in production: docker compose up --build`,
    ...(frontend?.kind === 'Vite' ? [`# The pages are built before: (cd ${frontend.folder} && npx vite build)`] : []),
    'services:',
    '  viaduct:',
    '    image: viaduct',
    '    ports:',
    '      - "80:80"',
    ...(domain === undefined ? [] : ['      - "443:443"']),
    '    volumes:',
    ...volumes.map((line) => `      - ${line}`),
    '    healthcheck:',
    '      test: ["CMD", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1/health"]',
    '      interval: 10s',
    '    # Requests under way are finished within it; worker_shutdown_timeout is shorter.',
    '    stop_grace_period: 60s',
    '    restart: unless-stopped',
    ...(backend === undefined
      ? []
      : ['    depends_on:', '      - backend', '', ...backendService(backend.kind, backend.folder)]),
  ].join('\n')}\n`
}

function backendService(kind: string, folder: string): string[] {
  if (kind === 'PHP') {
    return [
      '  backend:',
      '    image: php:fpm',
      '    volumes:',
      `      - ./${folder}/public:/usr/share/nginx/html:ro`,
      '    restart: unless-stopped',
    ]
  }
  return [
    '  backend:',
    `    # Its Dockerfile has it listen on 0.0.0.0:8000.`,
    `    build: ./${folder}`,
    '    expose:',
    '      - "8000"',
    '    restart: unless-stopped',
  ]
}

/** Returns a unit that runs the production configuration where it is. */
export function systemdUnit({ name }: Project, folder: string): string {
  return `# ${name} on this machine:
#   sudo cp conf/${name}.service /etc/systemd/system/ && sudo systemctl enable --now ${name}
#   sudo systemctl reload ${name}      a new configuration; a wrong one changes nothing, and the log says why
[Unit]
Description=${name}, behind Viaduct
After=network-online.target
Wants=network-online.target

[Service]
Type=notify
NotifyAccess=all
ExecStartPre=/usr/bin/env viaduct -t -q -c ${folder}/conf/nginx/prod.nginx -g 'daemon off;'
ExecStart=/usr/bin/env viaduct -c ${folder}/conf/nginx/prod.nginx -g 'daemon off;'
ExecReload=/bin/kill -HUP $MAINPID
KillSignal=SIGQUIT
KillMode=mixed
TimeoutStopSec=60
Restart=on-failure
LimitNOFILE=65536
NoNewPrivileges=yes
ProtectSystem=full
PrivateTmp=yes
LogsDirectory=nginx

[Install]
WantedBy=multi-user.target
`
}
