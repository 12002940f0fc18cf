/** What stays open: WebSockets, and streams of events. A "request" is a message or an event here. */
import { type Scenario, serverBlock } from '../scenario.ts'

const UPSTREAM = 'upstream backend { server %%ORIGIN%%; }\n'
const MAP = "map $http_upgrade $connection_upgrade { default upgrade; '' close; }\n"

export const streams: readonly Scenario[] = [
  {
    name: 'websocket',
    title: 'WebSocket, echoes of 64 bytes',
    http:
      MAP +
      UPSTREAM +
      serverBlock(`location / {
        proxy_pass http://backend; proxy_http_version 1.1; proxy_read_timeout 3600s;
        proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;
      }`),
    target: '/ws',
    partner: 'websocket',
    expected: 1.3,
  },
  {
    name: 'sse',
    title: 'server-sent events',
    http:
      UPSTREAM +
      serverBlock(`location / {
        proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection "";
        proxy_buffering off; proxy_read_timeout 3600s;
      }`),
    target: '/events',
    partner: 'sse',
    connections: 200,
  },
]
