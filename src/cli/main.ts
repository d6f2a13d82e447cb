import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../lib/clock.ts';
import { run } from './run.ts';

function readVersion(): string {
  const text = readFileSync(resolve(import.meta.dirname, '../../package.json'), 'utf8');
  return (JSON.parse(text) as { readonly version: string }).version;
}

const ended = await run({
  argv: process.argv.slice(2),
  environment: process.env,
  version: readVersion(),
  clock: systemClock,
  sleep,
  mark: (variable) => {
    process.env[variable] = '1';
  },
  say: (text) => process.stderr.write(text),
});
process.stderr.write(ended.stderr);
process.stdout.write(ended.stdout);
process.exitCode = ended.code;
