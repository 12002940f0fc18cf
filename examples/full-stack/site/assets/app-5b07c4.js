const $ = (id) => document.getElementById(id)
const light = (name, on) => $(`light-${name}`).classList.toggle('on', on)

// Views: every link is an address of its own; the server answers each with this page.
function show() {
  const here = location.pathname
  const views = [...document.querySelectorAll('[data-view]')]
  const view = views.find((section) => section.dataset.view === here) ?? views[0]
  for (const section of views) section.hidden = section !== view
  for (const link of document.querySelectorAll('nav a')) {
    link.classList.toggle('here', link.getAttribute('href') === view.dataset.view)
  }
  if (view.dataset.view === '/notes') loadNotes()
  if (view.dataset.view === '/request') loadRequest()
}
document.querySelector('nav').addEventListener('click', (event) => {
  const link = event.target.closest('a')
  if (link === null) return
  event.preventDefault()
  history.pushState(undefined, '', link.href)
  show()
})
addEventListener('popstate', show)

// The API.
async function call(method, target, body) {
  const response = await fetch(target, {
    method,
    ...(body === undefined ? {} : { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }),
  }).catch(() => undefined)
  light('api', response?.ok ?? false)
  return response?.ok ? response.json() : undefined
}

async function loadNotes() {
  const notes = (await call('GET', '/api/notes')) ?? []
  $('notes').replaceChildren(...notes.map(noteItem))
}

function noteItem(note) {
  const remove = document.createElement('button')
  remove.textContent = 'remove'
  remove.addEventListener('click', async () => {
    await call('DELETE', `/api/notes/${note.id}`)
    loadNotes()
  })
  const item = document.createElement('li')
  item.append(note.text, remove)
  return item
}

$('note-form').addEventListener('submit', async (event) => {
  event.preventDefault()
  const form = event.target
  await call('POST', '/api/notes', { text: form.text.value })
  form.reset()
  loadNotes()
})

async function loadRequest() {
  $('request').textContent = JSON.stringify(await call('GET', '/api/request'), undefined, 2)
}

// Server-sent events.
const events = new EventSource('/api/events')
events.addEventListener('open', () => light('events', true))
events.addEventListener('error', () => light('events', false))
events.addEventListener('message', ({ data }) => {
  $('clock').textContent = new Date(data).toLocaleTimeString()
})

// The WebSocket.
const PING_INTERVAL_MS = 2000
const RETRY_MS = 1000
function connect() {
  const socket = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/ws/chat`)
  const ping = () => {
    if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ ping: performance.now() }))
  }
  const timer = setInterval(ping, PING_INTERVAL_MS)
  socket.addEventListener('open', () => {
    light('socket', true)
    $('chat').replaceChildren()
    ping()
  })
  socket.addEventListener('close', () => {
    light('socket', false)
    clearInterval(timer)
    setTimeout(connect, RETRY_MS)
  })
  socket.addEventListener('message', ({ data }) => onMessage(JSON.parse(data)))
  $('chat-form').onsubmit = (event) => {
    event.preventDefault()
    socket.send(JSON.stringify({ text: event.target.text.value }))
    event.target.reset()
  }
}

function onMessage(message) {
  if (message.type === 'people') $('people').textContent = message.count
  if (message.type === 'pong') $('latency').textContent = `${(performance.now() - message.ping).toFixed(1)} ms`
  if (message.type !== 'chat') return
  const name = document.createElement('b')
  name.textContent = message.name
  const item = document.createElement('li')
  item.append(name, message.text)
  $('chat').append(item)
}

show()
connect()
call('GET', '/api/notes')
