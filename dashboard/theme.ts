/** Light, dark, or as the system has it, which is remembered. */
import { useEffect, useState } from 'preact/hooks'

const THEMES = ['automatic', 'light', 'dark'] as const
type Theme = (typeof THEMES)[number]

const KEY = 'viaduct-theme'
const listeners = new Set<() => void>()
let theme: Theme = THEMES.find((known) => known === remembered()) ?? 'automatic'
apply()

/** The theme, and a new drawing when it changes. */
export function useTheme(): Theme {
  const [, draw] = useState(0)
  useEffect(() => {
    const changed = (): void => draw((n) => n + 1)
    listeners.add(changed)
    return () => {
      listeners.delete(changed)
    }
  }, [])
  return theme
}

/** Goes on to the next theme. */
export function nextTheme(): void {
  theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length]!
  try {
    localStorage.setItem(KEY, theme)
  } catch {
    // A browser that keeps nothing forgets it.
  }
  apply()
  for (const listener of listeners) listener()
}

function apply(): void {
  if (theme === 'automatic') delete document.documentElement.dataset['theme']
  else document.documentElement.dataset['theme'] = theme
}

function remembered(): string | null {
  try {
    return localStorage.getItem(KEY)
  } catch {
    return null
  }
}
