/** The page for people: it asks for the JSON beside it once a second and shows tables. */

/** All of it; what it shows is set as text, so that no name can be more than that. */
export const HTML_PAGE = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>vhost traffic status</title>
<meta name="viewport" content="width=device-width">
<style>
body{font:14px system-ui,sans-serif;margin:1.5em;color:#222;background:#fff}
table{border-collapse:collapse;margin:0 0 1.5em}caption{text-align:left;font-weight:600;padding:.3em 0}
th,td{border-bottom:1px solid #ddd;padding:.25em .7em;text-align:right}th:first-child,td:first-child{text-align:left}
@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}th,td{border-color:#444}}
</style></head><body><main id="tables"></main>
<script>
const base=location.pathname.replace(/\\/?(format\\/html\\/?)?$/,'');
const columns={Zone:0,Requests:z=>z.requestCounter,'1xx':z=>z.responses['1xx'],'2xx':z=>z.responses['2xx'],'3xx':z=>z.responses['3xx'],
'4xx':z=>z.responses['4xx'],'5xx':z=>z.responses['5xx'],Sent:z=>z.outBytes,Received:z=>z.inBytes,'Time (ms)':z=>z.requestMsec};
function table(title,rows){const t=document.createElement('table');t.createCaption().textContent=title;
const head=t.createTHead().insertRow();for(const c of Object.keys(columns)){const th=document.createElement('th');th.textContent=c;head.append(th)}
const body=t.createTBody();for(const[name,zone]of rows){const row=body.insertRow();
for(const[c,of]of Object.entries(columns))row.insertCell().textContent=c==='Zone'?name:of(zone)}return t}
async function show(){const s=await(await fetch(base+'/format/json')).json();const all=[table('Server zones',Object.entries(s.serverZones))];
for(const[g,zones]of Object.entries(s.filterZones??{}))all.push(table('Filter '+g,Object.entries(zones)));
for(const[u,servers]of Object.entries(s.upstreamZones))all.push(table('Upstream '+u,servers.map(p=>[p.server,p])));
document.getElementById('tables').replaceChildren(...all)}
show();setInterval(show,1000);
</script></body></html>
`
