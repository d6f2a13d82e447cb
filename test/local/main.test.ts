import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../support/processes.ts';
import { bareEnvironment } from './support.ts';

const LOCAL = resolve(import.meta.dirname, '../../src/local');

/** Runs one of the two programs to its end. */
async function run(script: string, environment: Readonly<Record<string, string>>) {
  const child = spawn(process.execPath, [resolve(LOCAL, script)], {
    env: { ...bareEnvironment(), ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit'),
  ]);
  return { stdout, stderr, code };
}

/** One sentence on one line of stderr, and exit code 1. */
function sentence(part: string) {
  return {
    stdout: '',
    code: 1,
    stderr: expect.stringMatching(new RegExp(`^[^\n]*${part}[^\n]*\n$`, 'u')),
  };
}

describe('npm run local', () => {
  const occupied = createServer();
  let taken: string;
  beforeAll(async () => {
    await once(occupied.listen(0, '127.0.0.1'), 'listening');
    const address = occupied.address();
    taken = `${typeof address === 'object' && address !== null ? address.port : 0}`;
  });
  afterAll(() => {
    occupied.close();
  });

  it('names the variable of a malformed port', async () => {
    expect(await run('main.ts', { AWS_PORT: '4566x' })).toEqual(
      sentence('AWS_PORT must be a port'),
    );
  });

  it('names the port and the variable if a port is in use', async () => {
    expect(await run('main.ts', { AWS_PORT: taken })).toEqual(sentence(`${taken}.*set AWS_PORT`));
    expect(await run('main.ts', { PORT: taken, AWS_PORT: String(await freePort()) })).toEqual(
      sentence(`${taken}.*set PORT`),
    );
  });
});

describe('npm run seed', () => {
  it('requires a local endpoint', async () => {
    expect(await run('seed-main.ts', {})).toEqual(
      sentence('AWS_ENDPOINT_URL must name the local AWS'),
    );
    const real = { AWS_ENDPOINT_URL: 'https://dynamodb.us-east-1.amazonaws.com' };
    expect(await run('seed-main.ts', real)).toEqual(sentence('local AWS only'));
  });
});
