/** php-fpm behind FastCGI, with a connection per request and with kept ones. */
import { type Scenario, serverBlock } from '../scenario.ts'

/** What a guide's `fastcgi_params` has, spelt out for both servers. */
const PARAMS = [
  ['QUERY_STRING', '$query_string'],
  ['REQUEST_METHOD', '$request_method'],
  ['CONTENT_TYPE', '$content_type'],
  ['CONTENT_LENGTH', '$content_length'],
  ['SCRIPT_NAME', '$fastcgi_script_name'],
  ['REQUEST_URI', '$request_uri'],
  ['DOCUMENT_URI', '$document_uri'],
  ['DOCUMENT_ROOT', '$document_root'],
  ['SERVER_PROTOCOL', '$server_protocol'],
  ['REQUEST_SCHEME', '$scheme'],
  ['HTTPS', '$https if_not_empty'],
  ['GATEWAY_INTERFACE', 'CGI/1.1'],
  ['SERVER_SOFTWARE', 'nginx/$nginx_version'],
  ['REMOTE_ADDR', '$remote_addr'],
  ['REMOTE_PORT', '$remote_port'],
  ['SERVER_ADDR', '$server_addr'],
  ['SERVER_PORT', '$server_port'],
  ['SERVER_NAME', '$server_name'],
  ['REDIRECT_STATUS', '200'],
]
  .map(([name, value]) => `fastcgi_param ${name} ${value};`)
  .join(' ')

function passed(name: string, title: string, group: string, location: string): Scenario {
  const script = `root %%PHP%%; ${PARAMS} fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;`
  const http = `upstream php { server %%ORIGIN%%; ${group} }\n`
  const inner = `location ~ \\.php$ { ${script} fastcgi_pass php; ${location} }`
  return {
    name,
    title,
    http: http + serverBlock(inner),
    target: '/small.php',
    connections: 16,
    php: true,
    expected: 0.8,
  }
}

export const fastcgi: readonly Scenario[] = [
  passed('fastcgi', 'FastCGI, a connection per request', '', ''),
  passed('fastcgi-kept', 'FastCGI, keep-alive', 'keepalive 16; keepalive_requests 1000000;', 'fastcgi_keep_conn on;'),
]
