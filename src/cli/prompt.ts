import { createInterface } from 'node:readline';
import type { Outside } from './streams.js';

export interface Prompt {
  readonly prompt: string;
  /** Whether the terminal hides what the user types. */
  readonly isHidden: boolean;
}

/**
 * Reads a line from the terminal; null if the input ends first, as with Ctrl-D. Ctrl-C interrupts the program: while we
 * read a line, the terminal gives it to us as a key.
 */
export async function readTyped(
  { stdin, stderr, interrupt }: Outside,
  { prompt, isHidden }: Prompt,
): Promise<string | null> {
  // A stream emits its end only once.
  if (!stdin.readable) return null;
  return await new Promise((resolve, reject) => {
    let typed: string | null = null;
    const lines = createInterface({
      input: stdin,
      // Readline echoes to its output.
      ...(isHidden ? {} : { output: stderr }),
      terminal: true,
      historySize: 0,
    });
    lines.on('line', (line) => {
      typed ??= line;
      lines.close();
    });
    lines.on('close', () => {
      // Readline echoes the return key with a line; after a hidden line, Ctrl-C or Ctrl-D the cursor is still on it.
      if (isHidden || typed === null) stderr.write('\n');
      resolve(typed);
    });
    lines.on('SIGINT', () => {
      // Closing gives the terminal its modes back before the program ends.
      lines.close();
      interrupt();
    });
    lines.on('error', reject);
    const ask = () => {
      if (isHidden) stderr.write(prompt);
      else lines.prompt();
    };
    // After Ctrl-Z, readline leaves its input paused.
    lines.on('SIGCONT', () => {
      lines.resume();
      ask();
    });
    // Ask only now that the terminal no longer echoes, or the passphrase of a fast typist would show.
    lines.setPrompt(prompt);
    ask();
  });
}
