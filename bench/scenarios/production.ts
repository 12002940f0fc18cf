/** A small response of a back end with the settings of a production API: timed log, limits, headers, gzip. */
import type { Scenario } from '../scenario.ts'

export const production: Scenario = {
  name: 'production',
  title: 'proxied, production settings',
  http: `
    map $http_upgrade $connection_upgrade { default upgrade; '' close; }
    upstream backend { server %%ORIGIN%% max_fails=3 fail_timeout=30s; keepalive 64; keepalive_requests 1000000; }
    log_format main_timed '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
      '"$http_referer" "$http_user_agent" rt=$request_time uct="$upstream_connect_time" '
      'uht="$upstream_header_time" urt="$upstream_response_time"';
    limit_req_zone $binary_remote_addr zone=api_limit:10m rate=1000000r/s;
    limit_conn_zone $binary_remote_addr zone=conn_limit:10m;
    proxy_set_header Host $host;
    proxy_set_header X-Real-IP $remote_addr;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme;
    access_log %%DIR%%/access.log main_timed buffer=32k flush=5s;
    sendfile on; tcp_nopush on; tcp_nodelay on;
    keepalive_timeout 65; keepalive_requests 1000000; server_tokens off;
    client_body_buffer_size 128k; client_header_buffer_size 16k; client_max_body_size 10m;
    large_client_header_buffers 4 16k;
    client_body_timeout 12s; client_header_timeout 12s; send_timeout 10s;
    gzip on; gzip_vary on; gzip_proxied any; gzip_comp_level 6; gzip_min_length 256; gzip_disable "msie6";
    gzip_types text/plain text/css text/xml application/json application/javascript image/svg+xml;
    server {
      listen 127.0.0.1:%%PORT%%;
      server_name localhost;
      add_header Strict-Transport-Security "max-age=31536000; includeSubDomains; preload" always;
      add_header X-Frame-Options "SAMEORIGIN" always;
      add_header X-Content-Type-Options "nosniff" always;
      add_header X-XSS-Protection "1; mode=block" always;
      add_header Referrer-Policy "strict-origin-when-cross-origin" always;
      add_header Permissions-Policy "geolocation=(), microphone=(), camera=()" always;
      location /api/ {
        limit_req zone=api_limit burst=100000 nodelay;
        limit_conn conn_limit 1000;
        proxy_pass http://backend;
        proxy_http_version 1.1;
        proxy_set_header Host $host;
        proxy_set_header X-Real-IP $remote_addr;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header Connection "";
        proxy_buffering on; proxy_buffers 8 24k; proxy_buffer_size 2k;
        proxy_connect_timeout 75s; proxy_send_timeout 30s; proxy_read_timeout 30s;
      }
      location ~ /\\. { deny all; }
    }`,
  target: '/api/items?page=1',
  headers: ['Accept-Encoding: gzip', 'User-Agent: Mozilla/5.0 (X11; Linux x86_64) bench', 'Accept: application/json'],
  expected: 1.05,
}
