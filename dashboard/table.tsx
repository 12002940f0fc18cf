/**
 * A table that has any number of rows: those that can be seen are in the page, with the height of the rest above and below.
 * It scrolls with the page. The name of a row is a button when the row can be opened; arrow keys go from name to name.
 */
import type { ComponentChildren, JSX } from 'preact'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import type { Tone } from './parts.tsx'

const ROW_PX = 36
/** Shorter tables are in the page as they are. */
const WHOLE_MAX = 80
const BEYOND = 20
/** From which width of the page on columns are shown. */
const WIDTHS = { narrow: 561, mid: 901, wide: 1241, huge: 1501 } as const

export interface Column<R> {
  readonly key: string
  readonly label: string
  /** Said of the column where the label is short. */
  readonly title?: string
  readonly number?: boolean
  readonly width?: string
  /** The narrowest page that has room for it; without it all have. */
  readonly from?: keyof typeof WIDTHS
  readonly cell: (row: R) => ComponentChildren
  readonly tone?: (row: R) => Tone | 'zero'
  /** What rows are sorted by; without it they cannot be. */
  readonly sort?: (row: R) => number | string
}

/** Rows with a line before them. */
export interface RowGroup<R> {
  readonly key: string
  readonly head?: ComponentChildren
  readonly rows: readonly R[]
}

interface Props<R> {
  readonly label: string
  readonly columns: readonly Column<R>[]
  readonly groups: readonly RowGroup<R>[]
  readonly keyOf: (row: R) => string
  readonly onOpen?: (row: R) => void
  /** Somebody points at a row or has gone to one, and would not like it to move. */
  readonly onStay?: (stays: boolean) => void
}

interface Sorting {
  readonly key: string
  readonly down: boolean
}

type Item<R> = { readonly head: ComponentChildren; readonly key: string } | { readonly row: R; readonly key: string }

export function Table<R>({ label, columns: all, groups, keyOf, onOpen, onStay }: Props<R>): JSX.Element {
  const width = useWidth()
  const columns = all.filter(({ from }) => from === undefined || width >= WIDTHS[from])
  const [sorting, setSorting] = useState<Sorting>()
  const body = useRef<HTMLTableSectionElement>(null)
  const items = itemsOf(groups, columns, sorting, keyOf)
  const [from, to] = useWindow(body, items.length)
  const shown = items.slice(from, to)
  return (
    <div class="scroll">
      <table aria-label={label} aria-rowcount={items.length + 1}>
        <thead>
          <tr>
            {columns.map((column) => (
              <Head
                key={column.key}
                column={column}
                sorting={sorting}
                onSort={() => setSorting(next(sorting, column))}
              />
            ))}
          </tr>
        </thead>
        <tbody
          ref={body}
          onKeyDown={walk}
          onMouseEnter={() => onStay?.(true)}
          onMouseLeave={() => onStay?.(false)}
          onFocusCapture={() => onStay?.(true)}
          onBlurCapture={() => onStay?.(false)}
        >
          {from > 0 && <Space rows={from} columns={columns.length} />}
          {shown.map((item, i) =>
            'head' in item ? (
              <tr key={item.key} class="group" aria-rowindex={from + i + 2}>
                <th colSpan={columns.length} scope="rowgroup">
                  {item.head}
                </th>
              </tr>
            ) : (
              <Row key={item.key} row={item.row} index={from + i + 2} columns={columns} onOpen={onOpen} />
            ),
          )}
          {to < items.length && <Space rows={items.length - to} columns={columns.length} />}
        </tbody>
      </table>
    </div>
  )
}

function Space({ rows, columns }: { readonly rows: number; readonly columns: number }): JSX.Element {
  return (
    <tr class="space">
      <td colSpan={columns} style={{ height: `${rows * ROW_PX}px` }} />
    </tr>
  )
}

function Head<R>(props: {
  readonly column: Column<R>
  readonly sorting: Sorting | undefined
  readonly onSort: () => void
}): JSX.Element {
  const { column, sorting } = props
  const sorted = sorting?.key === column.key ? (sorting.down ? 'descending' : 'ascending') : undefined
  return (
    <th
      scope="col"
      class={column.number ? 'num' : ''}
      style={column.width === undefined ? {} : { width: column.width }}
      title={column.title}
      {...(sorted === undefined ? {} : { 'aria-sort': sorted })}
    >
      {column.sort === undefined ? (
        column.label
      ) : (
        <button type="button" onClick={props.onSort}>
          {column.label}
          {sorted !== undefined && <span aria-hidden="true">{sorted === 'descending' ? '↓' : '↑'}</span>}
        </button>
      )}
    </th>
  )
}

function Row<R>(props: {
  readonly row: R
  readonly index: number
  readonly columns: readonly Column<R>[]
  readonly onOpen: ((row: R) => void) | undefined
}): JSX.Element {
  const { row, index, columns, onOpen } = props
  return (
    <tr
      aria-rowindex={index}
      class={onOpen === undefined ? '' : 'open'}
      {...(onOpen === undefined ? {} : { onClick: () => onOpen(row) })}
    >
      {columns.map((column, i) => {
        const cell = column.cell(row)
        const name = `${column.number ? 'num' : ''} ${column.tone?.(row) ?? ''}`
        if (i > 0) {
          return (
            <td key={column.key} class={name}>
              {cell}
            </td>
          )
        }
        // The row opens by a click anywhere; its button is for keyboards and readers.
        return (
          <th key={column.key} scope="row" class={name}>
            {onOpen === undefined ? (
              cell
            ) : (
              <button type="button" class="rowname">
                {cell}
              </button>
            )}
          </th>
        )
      })}
    </tr>
  )
}

function next<R>(sorting: Sorting | undefined, column: Column<R>): Sorting | undefined {
  // Numbers are wanted from the largest.
  const downFirst = column.number === true
  if (sorting?.key !== column.key) return { key: column.key, down: downFirst }
  return sorting.down === downFirst ? { key: column.key, down: !downFirst } : undefined
}

function itemsOf<R>(
  groups: readonly RowGroup<R>[],
  columns: readonly Column<R>[],
  sorting: Sorting | undefined,
  keyOf: (row: R) => string,
): Item<R>[] {
  const by = columns.find(({ key }) => key === sorting?.key)?.sort
  const sign = sorting?.down ? -1 : 1
  const items: Item<R>[] = []
  for (const { key, head, rows } of groups) {
    if (head !== undefined) items.push({ head, key: `group ${key}` })
    const sorted = by === undefined ? rows : rows.toSorted((a, b) => sign * compare(by(a), by(b)))
    for (const row of sorted) items.push({ row, key: keyOf(row) })
  }
  return items
}

function compare(a: number | string, b: number | string): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b
  return String(a).localeCompare(String(b), 'en', { numeric: true })
}

/** The width of the page, when it passes one of those that matter. */
function useWidth(): number {
  const [width, setWidth] = useState(innerWidth)
  useEffect(() => {
    const resized = (): void => setWidth(innerWidth)
    addEventListener('resize', resized)
    return () => removeEventListener('resize', resized)
  }, [])
  return width
}

/** Which rows can be seen, and some beyond. */
function useWindow(body: { readonly current: HTMLElement | null }, count: number): readonly [number, number] {
  const [range, setRange] = useState<readonly [number, number]>([0, WHOLE_MAX])
  const look = (): void => {
    const top = -(body.current?.getBoundingClientRect().top ?? 0)
    const from = Math.max(0, Math.floor(top / ROW_PX) - BEYOND)
    const to = Math.ceil((top + innerHeight) / ROW_PX) + BEYOND
    // In steps, so that not each pixel draws anew.
    setRange((before) => (Math.abs(before[0] - from) < 8 && Math.abs(before[1] - to) < 8 ? before : [from, to]))
  }
  useEffect(() => {
    addEventListener('scroll', look, { passive: true })
    addEventListener('resize', look)
    return () => {
      removeEventListener('scroll', look)
      removeEventListener('resize', look)
    }
  }, [])
  useLayoutEffect(look, [count])
  if (count <= WHOLE_MAX) return [0, count]
  return [Math.min(range[0], Math.max(0, count - BEYOND)), Math.min(count, Math.max(range[1], BEYOND))]
}

/** Arrow keys go from name to name. */
function walk(event: KeyboardEvent): void {
  const step =
    event.key === 'ArrowDown' ? 'nextElementSibling' : event.key === 'ArrowUp' ? 'previousElementSibling' : undefined
  if (step === undefined || !(event.target instanceof HTMLElement)) return
  let row = event.target.closest('tr')?.[step]
  while (row !== undefined && row !== null && row.querySelector('.rowname') === null) row = row[step]
  const name = row?.querySelector<HTMLElement>('.rowname')
  if (name === undefined || name === null) return
  event.preventDefault()
  name.focus()
  name.scrollIntoView({ block: 'nearest' })
}
