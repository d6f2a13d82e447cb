/** What `test/run.ts` has to do. */
export type Command =
  /** Every gate and every test. */
  | { readonly kind: 'all' }
  /** The gates only. */
  | { readonly kind: 'check' }
  /** Fix what a tool can fix. */
  | { readonly kind: 'fix' }
  | { readonly kind: 'containers' }
  /** The conformance suite against a running TVM, given by its address and that of its AWS. */
  | { readonly kind: 'url'; readonly addresses: readonly string[] }
  /**
   * Some tests. With `byName`, the other tests of these files are left out and do not count as
   * skipped.
   */
  | { readonly kind: 'some'; readonly options: readonly string[]; readonly byName: boolean }
  | { readonly kind: 'wrong'; readonly message: string };

const USAGE = 'usage: npm test -- [PATH…] [-t NAME]';

/** Commands of package.json that take no further arguments. */
const PLAIN: Readonly<Record<string, Command>> = {
  '--check': { kind: 'check' },
  '--fix': { kind: 'fix' },
  '--containers': { kind: 'containers' },
};

/**
 * Reads the arguments of `test/run.ts`: an option of the scripts in package.json, or what somebody
 * wrote after `npm test --`, that is parts of the paths of test files and `-t NAME`.
 */
export function parseCommand(args: readonly string[]): Command {
  const [first, ...rest] = args;
  if (first === undefined) return { kind: 'all' };
  if (first === '--url') return { kind: 'url', addresses: rest };
  const plain = Object.hasOwn(PLAIN, first) ? PLAIN[first] : undefined;
  if (plain === undefined) return parseSome(args);
  return rest.length === 0 ? plain : { kind: 'wrong', message: `${first} takes nothing more` };
}

function parseSome(args: readonly string[]): Command {
  const paths: string[] = [];
  let name: string | undefined;
  for (let at = 0; at < args.length; at += 1) {
    const arg = args[at] ?? '';
    if (arg === '-t') {
      at += 1;
      name = args[at];
      if (name === undefined || name === '')
        return { kind: 'wrong', message: `-t needs a name; ${USAGE}` };
    } else if (arg.startsWith('-')) {
      return { kind: 'wrong', message: `${arg} is not known here; ${USAGE}` };
    } else if (arg.endsWith('.outside.ts')) {
      const message = `${arg} needs more than Node and npm; npm run test:containers or test:url runs it`;
      return { kind: 'wrong', message };
    } else {
      paths.push(arg);
    }
  }
  const named = name === undefined ? [] : ['--testNamePattern', name];
  return { kind: 'some', options: [...paths, ...named], byName: name !== undefined };
}
