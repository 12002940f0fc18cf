/** The page of the example: calls the API, echoes over the WebSocket, hears events, and takes new modules in place. */
import './style.css'
import { MESSAGE } from './message.ts'

function show(id: string, text: string): void {
  document.getElementById(id)!.textContent = text
}

async function showItems(): Promise<void> {
  const response = await fetch('/api/items')
  const items: Record<string, { readonly name: string }> = await response.json()
  const names = Object.values(items).map((item) => item.name)
  show('items', names.join(', '))
}

function hear(): void {
  new EventSource('/api/events').addEventListener('message', ({ data }) => show('event', data))
}

function talk(): void {
  const socket = new WebSocket(`ws://${location.host}/ws/echo`)
  socket.addEventListener('open', () => socket.send('over and out'))
  socket.addEventListener('message', ({ data }) => show('socket', data))
}

show('message', MESSAGE)
void showItems()
hear()
talk()

import.meta.hot?.accept('./message.ts', (fresh) => show('message', fresh?.['MESSAGE'] ?? ''))
