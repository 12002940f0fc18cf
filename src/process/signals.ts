/** The signals that a master understands, under the names and numbers that nginx prints. */
import { constants } from 'node:os'
import { clock } from '../lib/clock.ts'

/** What `-s` may say. */
export type SignalCommand = 'stop' | 'quit' | 'reopen' | 'reload'

const COMMANDS = { stop: 'SIGTERM', quit: 'SIGQUIT', reopen: 'SIGUSR1', reload: 'SIGHUP' } as const

const ACTIONS = {
  SIGHUP: ', reconfiguring',
  SIGUSR1: ', reopening logs',
  SIGUSR2: ', changing binary',
  SIGWINCH: ', stop accepting connections',
  SIGQUIT: ', shutting down',
  SIGTERM: ', exiting',
  SIGINT: ', exiting',
} as const

/** A signal that the master acts on. */
export type MasterSignal = keyof typeof ACTIONS

/** Returns the signal that a word after `-s` stands for, or undefined when there is none. */
export function signalOf(command: string): NodeJS.Signals | undefined {
  return Object.hasOwn(COMMANDS, command) ? COMMANDS[command as SignalCommand] : undefined
}

/** Those that wait until there is somebody who serves. */
const LATER = ['SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const
const waiting = new Set<MasterSignal>()
let receiver: ((signal: MasterSignal) => void) | undefined

/**
 * Keeps signals that would not end the program until it serves: what they do to a Node that has not heard of them is to
 * end it (SIGHUP, SIGUSR2) or to open a debugger (SIGUSR1).
 */
export function holdSignals(): void {
  for (const signal of LATER) {
    process.on(signal, () => {
      if (receiver === undefined) waiting.add(signal)
      else receiver(signal)
    })
  }
}

/** Calls `receive` for every signal that a master acts on, but for those that are held, which come when the result is called. */
export function onMasterSignals(receive: (signal: MasterSignal) => void): () => void {
  const enter = (signal: MasterSignal): void => {
    clock.update()
    receive(signal)
  }
  for (const signal of Object.keys(ACTIONS) as MasterSignal[]) {
    if (!(LATER as readonly string[]).includes(signal)) process.on(signal, enter)
  }
  return () => {
    receiver = enter
    for (const signal of waiting) enter(signal)
    waiting.clear()
  }
}

/** Returns nginx's notice about a received signal; `action` replaces what it normally says is done. */
export function signalNotice(signal: MasterSignal, action: string = ACTIONS[signal]): string {
  return `signal ${constants.signals[signal]} (${signal}) received${action}`
}
