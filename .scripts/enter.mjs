/**
 * The door of every npm script: `node .scripts/enter.mjs <script.ts> [arguments…]`.
 *
 * Whoever clones the repository has some Node and npm, and no more. This file is plain JavaScript
 * that Node 20 can run: it installs what package-lock.json names if node_modules does not match it,
 * and hands over to the project's own Node, which runs TypeScript. stdout belongs to the script
 * alone; what is said here goes to stderr.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { constants } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const OLDEST_HOST = 20;
const PROJECT_NODE = 24;

/** @typedef {{version?: string, optional?: boolean, devOptional?: boolean}} Package */

/**
 * Why node_modules has to be installed anew, or undefined if it matches the lockfile.
 *
 * @param {{packages?: Record<string, Package>}} lock package-lock.json
 * @param {{packages?: Record<string, Package>} | undefined} installed
 *   node_modules/.package-lock.json
 * @returns {string | undefined}
 */
export function mismatch(lock, installed) {
  if (installed === undefined) return 'node_modules is missing';
  const there = installed.packages ?? {};
  for (const [path, wanted] of Object.entries(lock.packages ?? {})) {
    // The empty path is the project itself.
    if (path === '') continue;
    const found = there[path];
    const mayBeMissing = wanted.optional === true || wanted.devOptional === true;
    if (found === undefined && mayBeMissing) continue;
    if (found === undefined) return `${path} is missing`;
    if (found.version !== wanted.version)
      return `${path} is ${found.version} instead of ${wanted.version}`;
  }
  return undefined;
}

function say(sentence) {
  return process.stderr.write(`${sentence}\n`);
}

function fail(sentence) {
  say(sentence);
  process.exit(1);
}

function majorOf(version) {
  return Number(/^v?(\d+)\./.exec(version)?.[1] ?? 0);
}

function readJson(...path) {
  try {
    return JSON.parse(readFileSync(join(ROOT, ...path), 'utf8'));
  } catch {
    return undefined;
  }
}

/**
 * npm's own script if npm runs this one; else npm from the PATH, which Windows has as a batch file
 * only.
 */
function npmCi() {
  const args = ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'];
  const options = { cwd: ROOT, stdio: ['ignore', 2, 2] };
  const script = process.env.npm_execpath ?? '';
  if (/npm-cli\.c?js$/.test(script)) return spawnSync(process.execPath, [script, ...args], options);
  return process.platform === 'win32'
    ? spawnSync(`npm.cmd ${args.join(' ')}`, { ...options, shell: true })
    : spawnSync('npm', args, options);
}

function install() {
  const lock = readJson('package-lock.json');
  if (lock === undefined)
    fail('package-lock.json is missing or unreadable; this is not a whole clone.');
  const why = mismatch(lock, readJson('node_modules', '.package-lock.json'));
  if (why === undefined) return;
  say(`Installing the packages of package-lock.json with npm ci, for ${why}.`);
  const { status, error } = npmCi();
  if (status !== 0)
    fail(`npm ci failed${error ? ` (${error.message})` : ''}; nothing was started.`);
}

/**
 * The path of a Node that runs TypeScript: the project's own, else the one that runs this file, if
 * it is new enough.
 */
function findNode() {
  const own = join(
    ROOT,
    'node_modules',
    'node',
    'bin',
    process.platform === 'win32' ? 'node.exe' : 'node',
  );
  // By what its package says, for asking it costs a tenth of a second, and the client starts at
  // every call of an SDK.
  const { version = '' } = readJson('node_modules', 'node', 'package.json') ?? {};
  if (existsSync(own) && majorOf(version) === PROJECT_NODE) return own;
  if (majorOf(process.version) >= PROJECT_NODE) return process.execPath;
  return fail(
    `The project's own Node ${PROJECT_NODE} is missing from node_modules; its install script fetches it, so run ` +
      '"npm rebuild node --ignore-scripts=false" (or use Node 24 yourself) and try again.',
  );
}

/** Runs the script and ends as it ends: with its code, or with 128 + the signal that ended it. */
function hand(node, [script = '', ...args], cwd) {
  const bin = join(ROOT, 'node_modules', '.bin');
  // Windows writes the variable in any case, and a second spelling of it would win or lose by
  // chance.
  const key = Object.keys(process.env).find((name) => name.toUpperCase() === 'PATH') ?? 'PATH';
  const env = { ...process.env, [key]: [bin, process.env[key] ?? ''].join(delimiter) };
  const child = spawn(node, [resolve(ROOT, script), ...args], { cwd, env, stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      // On Windows a signal cannot be sent, only an end; there the console tells the child itself.
      if (process.platform !== 'win32') child.kill(signal);
    });
  }
  child.on('error', (error) => fail(`${node} cannot be run: ${error.message}.`));
  child.on('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 1)));
}

/**
 * Enters a script of the project.
 *
 * @param {readonly string[]} args the script's path within the project, and its arguments
 * @param {{readonly cwd?: string}} [options] where it runs; the project's directory unless given
 */
export function enter(args, { cwd = ROOT } = {}) {
  if (majorOf(process.version) < OLDEST_HOST) {
    fail(`Node ${OLDEST_HOST} or newer is needed to begin; this is ${process.version}.`);
  }
  if (args.length === 0) fail('Usage: node .scripts/enter.mjs <script.ts> [arguments…]');
  install();
  hand(findNode(), args, cwd);
}

// Whoever imports this file takes what they need; only as the program itself it acts.
if (process.argv[1] && import.meta.url === pathToFileURL(realpathSync(process.argv[1])).href)
  enter(process.argv.slice(2));
