/** A dialog in which a server is added to a group, as POST to the API does it. */
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { addServer } from './api.ts'
import { Sheet } from './parts.tsx'
import type { useStore } from './store.ts'

interface Props {
  readonly store: ReturnType<typeof useStore>
  readonly groups: readonly string[]
  readonly onClose: () => void
}

export function AddServer({ store, groups, onClose }: Props): JSX.Element {
  const [busy, setBusy] = useState(false)
  const [said, setSaid] = useState('')
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault()
    const form = event.currentTarget as HTMLFormElement // `submit` comes from the form alone
    const fields = new FormData(form)
    const [group, server] = [String(fields.get('group')), String(fields.get('server')).trim()]
    setBusy(true)
    const outcome = await addServer(group, {
      server,
      weight: Number(fields.get('weight')),
      max_conns: Number(fields.get('max_conns')),
      backup: fields.has('backup'),
      down: fields.has('down'),
    })
    await store.refresh()
    setBusy(false)
    setSaid(outcome.ok ? `${server} is in ${group}.` : `It was refused: ${outcome.text}.`)
    if (outcome.ok) form.reset()
  }
  return (
    <Sheet title="Add a server" onClose={onClose}>
      <section>
        <form class="add" onSubmit={(event) => void submit(event)}>
          <label>
            Group
            <select class="field" name="group">
              {groups.map((name) => (
                <option key={name}>{name}</option>
              ))}
            </select>
          </label>
          <label>
            Address
            <input
              class="field"
              name="server"
              required
              placeholder="10.0.0.9:80"
              autocomplete="off"
              spellcheck={false}
            />
          </label>
          <label>
            Weight
            <input class="field" name="weight" type="number" min="1" max="65535" required defaultValue="1" />
          </label>
          <label>
            Most connections, 0: any number
            <input class="field" name="max_conns" type="number" min="0" required defaultValue="0" />
          </label>
          <label class="check">
            <input name="backup" type="checkbox" /> Only while the others fail (backup)
          </label>
          <label class="check">
            <input name="down" type="checkbox" /> Not in use yet (down)
          </label>
          <button type="submit" class="button" disabled={busy}>
            Add
          </button>
        </form>
        <p class="muted small" role="status">
          {said}
        </p>
        <p class="muted small">
          It gets requests at once, from all workers. It stays until the configuration gives the group other servers;
          with <code>state</code> in the group, over restarts.
        </p>
      </section>
    </Sheet>
  )
}
