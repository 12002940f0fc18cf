/** Rules of rewriting, locations, variables, and the modules that decide by them. */
import { ask, type Case, type Group, targets } from '../case.ts'

const files = {
  'www/a.txt': 'a file with words\n',
  'www/index.html': 'index\n',
  'www/s.shtml':
    '<!--# set var="x" value="1" --><!--# if expr="$x = 1" -->one<!--# else -->other<!--# endif --> <!--# echo var="arg_q" default="none" --> <!--# include virtual="/inc?a=b" --> <!--# echo var="none" --> <!--# nonsense -->\n',
  'www/inc.shtml':
    '<!--# include file="a.txt" --><!--# include virtual="/missing" --><!--# config errmsg="E" timefmt="%Y" --><!--# include virtual="/missing" -->\n',
  'www/bad.shtml':
    'x <!--# if expr="$a = /(/" -->y<!--# endif --> <!--# echo --> <!-- plain --> <!--# include --> z <!--# echo var="arg_q" encoding="none" --><!--# echo var="arg_q" encoding="url" --><!--# echo var="arg_q" encoding="entity" --> <!--#',
  htpasswd: 'user:{PLAIN}pass\nsha:{SHA}nU4eI71bcnBGqeO0t9tXvY1u5oQ=\nbad\nempty:\n',
  'geo.conf': '10.0.0.0/8 ten;\n127.0.0.1 local;\n',
}

const rules = `
map $arg_m $mapped { default def; a A; ~^b(?<rest>.*)$ "B-$rest"; ~*^C c; "" empty; *.wild.org wild; suf.* suf; \\~t tilde; x $arg_n; }
map $arg_h $hosts { hostnames; default none; .dot.org dot; *.star.org star; pre.* pre; exact.org exact; }
map $arg_v $vol { volatile; default 0; 1 one; }
geo $arg_g $geo { default none; include %%DIR%%/geo.conf; 10.1.0.0/16 ten-one; delete 10.0.0.0/8; 192.168.0.0/16 "two words"; ::1 six; }
geo $arg_g $ranges { ranges; default out; 10.0.0.0-10.0.0.255 low; 10.0.0.10-10.0.0.20 inner; }
geo $via { default no; proxy 127.0.0.1; proxy_recursive; 1.2.3.4 yes; 5.6.7.0/24 net; }
split_clients $arg_s $split { 10% ten; 30.5% thirty; * rest; }
limit_req_zone $arg_k zone=lr:1m rate=1r/m; limit_conn_zone $arg_k zone=lc:1m;
userid_name uid;
server { listen 127.0.0.1:%%PORT_0%%; server_name h; root %%DIR%%/www; types { text/plain txt; text/html html shtml; }
  location / { return 200 "root $uri $args\\n"; }
  location /last { rewrite ^/last/(.*)$ /to/$1 last; return 200 never; }
  location /to/ { return 200 "to $uri $args $request_uri\\n"; }
  location /brk { rewrite ^/brk/(.*)$ /a.$1 break; return 200 never; }
  location /redir { rewrite ^/redir/(.*)$ /to/$1 redirect; }
  location /perm { rewrite ^/perm/(.*)$ /to/$1? permanent; }
  location /abs { rewrite ^/abs/(.*)$ http://x.org/$1; }
  location /absq { rewrite ^/absq/(.*)$ https://x.org/$1?a=b permanent; }
  location /scheme { rewrite ^ $scheme://$host/x; }
  location /args { rewrite ^/args/(.*)$ /to/x?p=$1&q=$arg_q; }
  location /noargs { rewrite ^/noargs /to/x?p? last; }
  location /chain { rewrite ^/chain/(.*)$ /chain2/$1; rewrite ^/chain2/(.*)$ /to/$1; rewrite ^/none /x; return 200 "chain $uri\\n"; }
  location /loop { rewrite ^/loop(.*)$ /loop$1x; }
  location /loop10 { rewrite '^/loop10(x{0,8})$' /loop10x$1 last; return 200 "end $uri\\n"; }
  location /case { rewrite (?i)^/CASE/(.*)$ /to/$1; }
  location /named { try_files /none @n; } location @n { rewrite ^/named/(.*)$ /to/$1; return 200 "named $uri\\n"; } 
  location /namedbreak { error_page 404 = @nb; return 404; } location @nb { rewrite ^ /a.txt break; }
  location /empty { rewrite ^/empty $arg_none last; }
  location /slash { rewrite ^/slash(.*)$ $1 last; }
  location /set { set $a 1; set $b "$a$a"; set $c $arg_x; return 200 "$a$b[$c]\\n"; }
  location /setargs { set $args "n=1"; return 200 "$args $arg_n $is_args $query_string\\n"; }
  location /setargsp { set $args "n=1"; proxy_pass http://127.0.0.1:%%PORT_6%%; }
  location /if1 { if ($arg_x = a) { return 200 eq; } if ($arg_x != b) { return 200 ne; } return 200 b; }
  location /if2 { if ($arg_x ~ ^a(.)c$) { return 200 "re $1"; } if ($arg_x ~* ^A(.)C$) { return 200 "rei $1"; } if ($arg_x !~ x) { return 200 "nre"; } return 200 "no"; }
  location /if3 { if (-f $document_root$arg_f) { return 200 f; } if (-d $document_root$arg_f) { return 200 d; } if (!-e $document_root$arg_f) { return 200 not-e; } return 200 e; }
  location /if4 { set $r 0; if ($arg_a) { set $r 1; } if ($arg_b) { set $r "$r 2"; } return 200 "$r\\n"; }
  location /if5 { if ($arg_a) { add_header X-A a; } if ($arg_b) { add_header X-B b; } add_header X-C c; return 200 x; }
  location /if6 { if ($arg_a) { proxy_pass http://127.0.0.1:%%PORT_6%%; } try_files /a.txt =404; }
  location /if7 { if ($request_method = POST) { return 405; } if ($http_cookie ~* "id=([^;]+)") { return 200 "id $1"; } return 200 noid; }
  location /if8 { if ($arg_a) { rewrite ^ /to/if8; } return 200 "after\\n"; }
  location /if9 { if ($arg_a) { break; } rewrite ^ /to/if9; }
  location /if10 { set $x "a b"; if ($x = "a b") { return 200 spaces; } return 200 no; }
  location /ret1 { return 200; } location /ret2 { return 301 /x; } location /ret3 { return 302 http://y/$uri; } location /ret4 { return 308 $scheme://$host$request_uri; } location /ret5 { return http://z; } location /ret6 { return 404 "<$arg_x>"; } location /ret7 { return 302 relative; } location /ret8 { return 301 //h/x; } location /ret9 { return 200 ""; } location /ret10 { return 301 https://$host:8443$request_uri; } location /ret11 { default_type application/json; return 200 '{"a":1}'; } location /ret12 { return 303 "/a b"; } location /ret13 { return 301 ""; } location /ret14 { return 301 $arg_t; } location /ret15 { return 204 x; }
  location = /eq { return 200 "= $uri"; } location /eq { return 200 "p $uri"; } location ~ ^/eq { return 200 "~ $uri"; }
  location ^~ /pp { return 200 "^~"; } location ~ ^/pp/x { return 200 "~ pp"; } location /pp/x { return 200 "pp/x"; }
  location ~* \\.JPG$ { return 200 "jpg"; } location ~ /deep/(?<d>[^/]+)/(\\d+) { return 200 "$d $2 $1"; location ~ ^/deep/in { return 200 "nested $d $1"; } }
  location /nest { return 200 nest; location /nest/a { return 200 a; location ~ b$ { return 200 b; } } location = /nest/c { return 200 c; } }
  location /sp%20ace { return 200 enc; } location "/sp ace" { return 200 space; } location /\\xc3\\xa4 { return 200 utf; }
  location /map { return 200 "$mapped|$hosts|$vol|$geo|$ranges|$via|$split|$rest\\n"; }
  location /vars { return 200 "$arg_a|$arg_A|$cookie_c|$http_x_y|$args|$is_args|$request|$content_length|$content_type|$remote_user|$limit_rate|$document_uri|$server_protocol|$nginx_version_|$pipe|$sent_http_x|$request_body|$arg_|$http_|$cookie_|$realpath_root|$hostname_|$binary_remote_addr_|$proxy_host|$proxy_add_x_forwarded_for|$arg_a-b|\${arg_a}b\\n"; set $nginx_version_ ""; set $hostname_ ""; set $binary_remote_addr_ ""; }
  location /limit { limit_except GET POST { deny all; } return 200 "limit\\n"; }
  location /limit2 { limit_except GET { deny all; } alias %%DIR%%/www/a.txt; }
  location /deny { deny 127.0.0.1; } location /allow { allow 127.0.0.0/8; deny all; alias %%DIR%%/www/a.txt; } location /any { satisfy any; deny all; auth_basic "r"; auth_basic_user_file %%DIR%%/htpasswd; alias %%DIR%%/www/a.txt; } location /all { satisfy all; allow all; auth_basic "q \\"x"; auth_basic_user_file %%DIR%%/htpasswd; alias %%DIR%%/www/a.txt; }
  location /auth { auth_basic $arg_realm; auth_basic_user_file %%DIR%%/htpasswd; alias %%DIR%%/www/a.txt; } location /authnone { auth_basic r; auth_basic_user_file %%DIR%%/none; alias %%DIR%%/www/a.txt; }
  location /ar { auth_request /arsub; auth_request_set $got $upstream_http_x; add_header X-Got $got always; alias %%DIR%%/www/a.txt; } location /arsub { internal; proxy_pass http://127.0.0.1:%%PORT_7%%; proxy_pass_request_body off; proxy_set_header Content-Length ""; proxy_set_header Connection ""; }
  location /arr { auth_request /arret; alias %%DIR%%/www/a.txt; } location /arret { return 402; } location /ar200 { auth_request /ar2; alias %%DIR%%/www/a.txt; } location /ar2 { return 204; } location /ar403 { auth_request /ar3; error_page 403 = /to/denied; alias %%DIR%%/www/a.txt; } location /ar3 { return 403; } location /ar401 { auth_request /ar4; alias %%DIR%%/www/a.txt; } location /ar4 { return 401; } location /ar500 { auth_request /ar5; alias %%DIR%%/www/a.txt; } location /ar5 { return 302 /x; }
  location /real { set_real_ip_from 127.0.0.1; real_ip_header X-Forwarded-For; real_ip_recursive on; set_real_ip_from 10.0.0.0/8; return 200 "$remote_addr $realip_remote_addr $remote_port_ $proxy_add_x_forwarded_for\\n"; set $remote_port_ ""; }
  location /real1 { set_real_ip_from 127.0.0.1; real_ip_header X-Forwarded-For; return 200 "$remote_addr $realip_remote_addr\\n"; } location /real2 { set_real_ip_from 127.0.0.1; return 200 "$remote_addr\\n"; } location /real3 { set_real_ip_from 1.1.1.1; real_ip_header X-Forwarded-For; return 200 "$remote_addr\\n"; }
  location /ref { valid_referers none blocked server_names *.good.org good.* ~re.x/p www.path.org/a; return 200 "[$invalid_referer]\\n"; }
  location /sl { secure_link $arg_md5,$arg_e; secure_link_md5 "$secure_link_expires$uri secret"; return 200 "[$secure_link][$secure_link_expires]\\n"; } location /p/ { secure_link_secret word; return 200 "[$secure_link]\\n"; }
  location /uid { userid on; userid_expires max; userid_domain d.org; userid_path /; userid_p3p 'x'; add_header G "$uid_got" ; return 200 "[$uid_got]\\n"; } location /uidlog { userid log; return 200 "[$uid_got][$uid_set]\\n"; }
  location /ssi { ssi on; rewrite ^/ssi/(.*)$ /$1.shtml break; } location /inc { ssi on; rewrite ^ /inc.shtml break; } location /missing { return 404; } location /ssierr { ssi on; ssi_silent_errors on; rewrite ^ /bad.shtml break; } location /ssibad { ssi on; rewrite ^ /bad.shtml break; }
  location /sub { sub_filter 'file' 'FILE'; sub_filter words $arg_w; sub_filter_once off; sub_filter_types *; alias %%DIR%%/www/a.txt; } location /sub1 { sub_filter W x; sub_filter_types text/plain; sub_filter_last_modified on; alias %%DIR%%/www/a.txt; }
  location /addb { add_before_body /to/b; add_after_body /missing; addition_types *; alias %%DIR%%/www/a.txt; }
  location /mir { mirror /mirsub; mirror_request_body on; return 200 mirrored; } location /mirsub { internal; proxy_pass http://127.0.0.1:%%PORT_7%%$request_uri; }
  location /gif { empty_gif; } location /try1 { try_files $uri /a.txt; } location /try2 { try_files /none /to/try?x=$arg_x; } location /try3 { try_files /none =418; } location /try4 { try_files $uri $uri/ @n; } location /try5/ { alias %%DIR%%/www/; try_files $uri a.txt =404; } location /try6 { root %%DIR%%; try_files /www /www/ =404; }
  location /lr { limit_req zone=lr; return 200 x; alias %%DIR%%/www/a.txt; } location /lr2 { limit_req zone=lr nodelay; limit_req_status 429; alias %%DIR%%/www/a.txt; } location /lr3 { limit_req zone=lr; limit_req_dry_run on; alias %%DIR%%/www/a.txt; add_header S $limit_req_status; }
  location /ah { add_header A a; add_header B "" ; add_header C "$arg_c" always; location /ah/in { return 404; } location /ah/own { add_header D d; return 200 x; } return 404; }
  location /trail { add_trailer T "$arg_t"; alias %%DIR%%/www/a.txt; } location /ct { charset utf-8; default_type text/html; return 200 x; } location /cc { expires 1h; add_header Cache-Control private; return 200 x; }
  location /merge { return 200 "$uri $request_uri\\n"; }
  location /bro { ancient_browser MSIE_; modern_browser gecko 1.0; return 200 "[$modern_browser][$ancient_browser][$msie]\\n"; }
}
`

const asks = (list: readonly (readonly [string, ...string[]])[]): Record<string, Case> =>
  Object.fromEntries(list.map(([target, ...fields]) => [[target, ...fields].join(' '), { send: ask(target, fields) }]))

const basic = (text: string): string => `Authorization: Basic ${btoa(text)}`

/** What is asked about rules and decisions. */
export const rewriteGroups: readonly Group[] = [
  {
    name: 'rewrite: rules',
    http: rules,
    files,
    cases: {
      ...targets([
        '/last/a%20b?c',
        '/last/',
        '/last',
        '/brk/txt',
        '/brk/none',
        '/redir/a%20b?c=d',
        '/redir/%e4',
        '/perm/x?y',
        '/abs/a%20b?c',
        '/absq/a?c',
        '/scheme',
        '/args/a%26b?q=1',
        '/args/a?q=%26',
        '/noargs?x=y',
        '/chain/x',
        '/loop',
        '/loop10',
        '/loop10xxx',
        '/CASE/x',
        '/case/x',
        '/named/x',
        '/named',
        '/namedbreak',
        '/empty',
        '/slash',
        '/slash/to/y',
        '/set?x=1',
        '/set',
        '/setargs?old',
        '/setargsp?old',
        '/if1?x=a',
        '/if1?x=b',
        '/if1',
        '/if2?x=abc',
        '/if2?x=ABC',
        '/if2?x=x',
        '/if2',
        '/if3?f=/a.txt',
        '/if3?f=/',
        '/if3?f=/none',
        '/if3',
        '/if4?a=1',
        '/if4?a=0',
        '/if4?a=00',
        '/if4?a=1&b=1',
        '/if4?b=',
        '/if5?a=1',
        '/if5?a=1&b=1',
        '/if5',
        '/if6?a=1',
        '/if6',
        '/if7',
        '/if8?a=1',
        '/if8',
        '/if9?a=1',
        '/if9',
        '/if10',
        ...Array.from({ length: 15 }, (_, n) => `/ret${n + 1}`),
        '/ret6?x=%3c',
        '/ret14?t=/y',
        '/ret14?t=http://y',
        '/ret4?a=b',
        '/eq',
        '/eq/',
        '/eqx',
        '/pp/x',
        '/ppx',
        '/a.jpg',
        '/a.JPG?x',
        '/pp/a.jpg',
        '/deep/a/12',
        '/deep/in/12',
        '/nest',
        '/nest/a',
        '/nest/ab',
        '/nest/c',
        '/nest/cb',
        '/sp%20ace',
        '/sp%2520ace',
        '/%c3%a4',
        ...['a', 'bcd', 'CX', '', 'zz', 'x.wild.org', 'suf.y', '~t', 'x', 'A', 'b', '*.wild.org', 'wild.org'].map(
          (m) => `/map?m=${m}&n=N`,
        ),
        ...[
          'dot.org',
          'a.dot.org',
          'a.b.dot.org',
          'star.org',
          'a.star.org',
          'pre.x',
          'pre.x.y',
          'exact.org',
          'EXACT.org',
          'exact.org.',
          '',
          'pre.star.org',
          'a.DOT.org.',
        ].map((h) => `/map?h=${h}`),
        ...[
          '10.0.0.1',
          '10.0.0.15',
          '10.0.0.255',
          '10.0.1.0',
          '10.1.2.3',
          '127.0.0.1',
          '192.168.1.1',
          '::1',
          '::ffff:10.1.0.1',
          'x',
          '',
          '1.2.3',
          '010.1.1.1',
          '10.1.0.1 ',
        ].map((g) => `/map?g=${g.replace(' ', '%20')}`),
        ...['a', 'b', 'c', 'd', 'e', '', 'longer text', '127.0.0.1'].map((s) => `/map?s=${s.replaceAll(' ', '%20')}`),
        '/map?v=1',
        '/vars',
        '/vars?a=1',
        '/vars?A=1',
        '/vars?a=1&a=2',
        '/vars?a',
        '/vars?a=',
        '/vars?b&a=%20',
        '/vars?xa=1',
        '/vars?&a=1',
        '/vars?a-b=1',
        '/vars?=x',
        '/vars?a=1;b=2',
        '/limit',
        '/limit2',
        '/deny',
        '/allow',
        '/gif',
        '/try1',
        '/try2?x=1',
        '/try3',
        '/try4',
        '/try5/none',
        '/try5/index.html',
        '/try6',
        '/ah',
        '/ah/in',
        '/ah/own',
        '/ah?c=1',
        '/trail?t=1',
        '/trail',
        '/ct',
        '/cc',
        '/merge//a///b',
        '/merge/a//../b',
        '/ssi/s',
        '/ssi/s?q=%3Cb%3E',
        '/inc',
        '/ssierr?q=a%26',
        '/ssibad?q=%3Ca%20b',
        '/ssi/none',
        '/sub?w=W',
        '/sub',
        '/sub1',
        '/addb',
        '/mir?x',
        '/uidlog',
        '/arr',
        '/ar200',
        '/ar403',
        '/ar401',
        '/ar500',
        '/bro',
        '/sl',
        '/sl?md5=x',
        '/sl?md5=x&e=y',
        '/sl?md5=AAAAAAAAAAAAAAAAAAAAAA&e=1',
        '/p/',
        '/p/x',
        '/p/0123456789abcdef0123456789abcdef/x',
        '/p/583ec2d8d4c2ec5b9ee2ba1c1bb0ab5b/',
        '/lr3?k=z',
      ]),
      ...asks([
        ['/if7', 'Cookie: a=b; id=5; c=d'],
        ['/vars', 'Cookie: c=1; c=2'],
        ['/vars', 'Cookie: c=1', 'Cookie: c=2'],
        ['/vars', 'Cookie: xc=1;c=3'],
        ['/vars', 'Cookie: C=1'],
        ['/vars', 'Cookie: c="a b"'],
        ['/vars', 'Cookie: c'],
        ['/vars', 'Cookie: c = 1'],
        ['/vars', 'Cookie:  c=1,d=2'],
        ['/vars', 'X-Y: 1'],
        ['/vars', 'X_Y: 1'],
        ['/vars', basic('u:p')],
        ['/vars', 'Authorization: Bearer x'],
        ['/vars', basic('nocolon')],
        ['/vars', 'Authorization: Basic ==='],
        ['/vars', 'Content-Type: a/b'],
        ['/vars', 'X-Forwarded-For: 1.1.1.1'],
        ['/any'],
        ['/any', basic('user:pass')],
        ['/any', basic('user:no')],
        ['/all'],
        ['/all', basic('user:pass')],
        ['/all', basic('none:x')],
        ['/all', 'Authorization: basic x'],
        ['/all', 'Authorization: Digest x'],
        ['/all', basic('user')],
        ['/all', basic(':')],
        ['/all', basic('bad:')],
        ['/all', basic('empty:')],
        ['/all', basic('sha:password')],
        ['/all', 'Authorization:'],
        ['/all', 'Authorization: Basic'],
        ['/all', 'Authorization: Basic !!!'],
        ['/auth'],
        ['/auth?realm=off'],
        ['/auth?realm=x'],
        ['/auth?realm='],
        ['/authnone'],
        ['/authnone', basic('a:b')],
        ['/auth?realm=x', basic('user:pass')],
        ['/real', 'X-Forwarded-For: 1.1.1.1'],
        ['/real', 'X-Forwarded-For: 1.1.1.1, 10.0.0.1'],
        ['/real', 'X-Forwarded-For: 1.1.1.1,10.0.0.1:80'],
        ['/real', 'X-Forwarded-For: 2.2.2.2', 'X-Forwarded-For: 10.0.0.2'],
        ['/real', 'X-Forwarded-For: x'],
        ['/real', 'X-Forwarded-For: 10.0.0.1, 10.0.0.2'],
        ['/real', 'X-Forwarded-For: 1.1.1.1, x, 10.0.0.1'],
        ['/real', 'X-Forwarded-For: [::2]:80'],
        ['/real', 'X-Forwarded-For: ::2'],
        ['/real', 'X-Forwarded-For:'],
        ['/real', 'X-Forwarded-For: 1.1.1.1 ,'],
        ['/real1', 'X-Forwarded-For: 1.1.1.1, 10.0.0.1'],
        ['/real1', 'X-Forwarded-For: 1.1.1.1', 'X-Forwarded-For: 3.3.3.3'],
        ['/real2', 'X-Real-IP: 4.4.4.4'],
        ['/real2', 'X-Real-IP: 4.4.4.4, 5.5.5.5'],
        ['/real3', 'X-Forwarded-For: 1.1.1.1'],
        ['/map', 'X-Forwarded-For: 1.2.3.4'],
        ['/map', 'X-Forwarded-For: 5.6.7.8, 127.0.0.1'],
        ['/map', 'X-Forwarded-For: 1.2.3.4, 9.9.9.9'],
        ['/map', 'X-Forwarded-For: 1.2.3.4', 'X-Forwarded-For: 5.6.7.8'],
        ...[
          'http://h/',
          'https://h:80/x',
          'http://x.good.org/',
          'http://good.com',
          'http://bad.org/',
          'http://a.re.x/p',
          'http://www.path.org/ab',
          'http://www.path.org/b',
          'blocked',
          '',
          '-',
          'ftp://h/',
          'HTTP://H/',
          'http://good.org.evil/',
          'http://',
        ].map((to): [string, string] => ['/ref', `Referer: ${to}`]),
        ['/ref'],
        ['/uidlog', 'Cookie: uid=AAECAwQFBgcICQoLDA0ODw=='],
        ['/uidlog', 'Cookie: uid=short'],
        ['/uidlog', 'Cookie: uid=%%%%%%%%%%%%%%%%%%%%%%'],
        ['/uid', 'Cookie: uid=AAECAwQFBgcICQoLDA0ODw=='],
        ['/bro', 'User-Agent: Mozilla/5.0 (X11; rv:1.9) Gecko/20100101 Firefox/3.0'],
        ['/bro', 'User-Agent: Mozilla/4.0 (compatible; MSIE 6.0)'],
        ['/bro', 'User-Agent: Lynx/2.8'],
        ['/bro', 'User-Agent: x'],
      ]),
      ...Object.fromEntries(
        ['PUT', 'POST', 'HEAD', 'DELETE', 'OPTIONS'].flatMap((method) =>
          ['/limit', '/limit2', '/if7', '/mir?x', '/ar', '/try1', '/ret2', '/addb', '/sub?w=x', '/ssi/s'].map(
            (target): [string, Case] => [
              `${method} ${target}`,
              {
                send: ask(
                  target,
                  method === 'HEAD' ? [] : ['Content-Length: 3'],
                  method,
                  method === 'HEAD' ? '' : 'abc',
                ),
              },
            ],
          ),
        ),
      ),
      ...Object.fromEntries(
        ['200 OK', '204 No', '401 No', '403 No', '404 No', '500 No', '302 F'].map((status): [string, Case] => [
          `/ar ${status}`,
          {
            send: ask('/ar'),
            answers: [{ send: `HTTP/1.1 ${status}\r\nX: got\r\nWWW-Authenticate: w\r\nContent-Length: 0\r\n\r\n` }],
          },
        ]),
      ),
      '/ar dead': { send: ask('/ar'), answers: [{ send: '', after: 'close' }] },
      'lr twice': { send: ['GET /lr2?k=a HTTP/1.1\r\nHost: h\r\n\r\n', ask('/lr2?k=a')] },
      'lr empty key': { send: ['GET /lr2 HTTP/1.1\r\nHost: h\r\n\r\n', ask('/lr2')] },
    },
  },
]
