import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Library } from './idioms/idiom.ts';

/** How a child process ended. */
export interface Ended {
  /** `undefined`: it had to be ended. */
  readonly code: number | null | undefined;
  readonly output: string;
  readonly errors: string;
}

/** How long a process that has nothing left to do may take to end: milliseconds. */
const GRACE = 1_500;
/** How long it may take to come to that: milliseconds. */
const LIMIT = 12_000;

/** Runs one of the scripts in children/ for one library; once it has said that it is over, it has to end by itself. */
export function child(script: string, library: Library): Promise<Ended> {
  const path = fileURLToPath(new URL(`children/${script}.ts`, import.meta.url));
  const running = spawn(process.execPath, [path, library], { stdio: ['ignore', 'pipe', 'pipe'] });
  return new Promise((resolve, reject) => {
    let [output, errors] = ['', ''];
    const end = () => {
      running.kill('SIGKILL');
      resolve({ code: undefined, output, errors });
    };
    let timer = setTimeout(end, LIMIT);
    running.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      clearTimeout(timer);
      timer = setTimeout(end, GRACE);
    });
    running.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors += text;
    });
    running.on('error', reject).on('close', (code) => {
      clearTimeout(timer);
      resolve({ code, output, errors });
    });
  });
}
