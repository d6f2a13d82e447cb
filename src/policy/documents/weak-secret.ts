/** Sixteen characters that were drawn at random cannot be tried through; AWS's own secrets have forty. */
export const MIN_SECRET_LENGTH = 16;

/** A drawn secret of that length repeats few characters. */
const MIN_DISTINCT = 8;

/**
 * What people and templates write for a secret, longest first so that a word does not hide in part. From the lists of
 * common passwords that sites refuse, and the words of this subject.
 */
const WORDS = [
  'abcdefghijklmnopqrstuvwxyz abcd abc xyz qwertyuiop asdfghjkl zxcvbnm qwertz qwerty azerty asdfgh asdf zxcv qwer',
  'administrator passphrase placeholder production credential supersecret development staging testing example default',
  'password passwort passwd pass word secret private geheim changeme change letmein welcome replace insert please',
  'iloveyou sunshine princess football baseball superman trustno dragon monkey master shadow michael hunter hello',
  'correct horse battery staple admin login client guest user root token access sentinel amazon demo test prod dev',
  'unknown nothing none null todo super your here this that with not the for and key aws tvm my is me',
]
  .flatMap((line) => line.split(' '))
  .toSorted((a, b) => b.length - a.length);

const SHORTEST_WORD = 3;

/** Digits and signs that people write for letters. */
const LEET: ReadonlyMap<string, string> = new Map(
  ['0o', '1i', '3e', '4a', '5s', '7t', '$s', '@a', '!i'].map((pair) => [pair.charAt(0), pair.charAt(1)]),
);

/** Secrets of AWS's documentation, which every scanner knows. */
const DOCUMENTED = /examplekey$/iu;

/** Secrets of the demo documents, which are printed everywhere. */
const DEMO = /^demo-[a-z]+-not-a-secret$/u;

/** Whether a secret is one of the demo's. */
export function isDemoSecret(secret: string): boolean {
  return DEMO.test(secret);
}

/**
 * Whether a secret can be guessed: too short, of few characters, a repetition, a row of the alphabet or keyboard, or made of
 * known words and the caller's own name. Says no to whatever it has no reason against: it measures no entropy, and
 * cannot tell a secret that leaked.
 *
 * @param name what policies call the caller
 */
export function isWeakSecret(secret: string, name: string): boolean {
  const lower = secret.toLowerCase();
  if (secret.length < MIN_SECRET_LENGTH || new Set(secret).size < MIN_DISTINCT || DOCUMENTED.test(secret)) return true;
  return isRepetition(lower) || isRow(lower) || isOfWords(lower, name.toLowerCase());
}

/** Whether a text is a shorter one again and again, the last time perhaps in part. */
function isRepetition(text: string): boolean {
  const half = Math.floor(text.length / 2);
  return Array.from({ length: half }, (_, at) => at + 1).some((period) => text.startsWith(text.slice(period)));
}

/** Three in four characters follow the one before, up or down. */
function isRow(text: string): boolean {
  const steps = Array.from(text.slice(1), (character, at) => Math.abs(character.charCodeAt(0) - text.charCodeAt(at)));
  return steps.filter((step) => step <= 1).length >= steps.length * 0.75;
}

function isOfWords(text: string, name: string): boolean {
  // So many digits, if they are no row, are enough by themselves.
  const digits = text.replaceAll(/\D/gu, '');
  if (digits.length >= MIN_SECRET_LENGTH && !isRow(digits) && !isRepetition(digits)) return false;
  const plain = Array.from(text, (character) => LEET.get(character) ?? character).join('');
  return [text, plain].some((each) => lettersLeft(each, name) === 0);
}

function lettersLeft(text: string, name: string): number {
  const own = name.replaceAll(/[^a-z]/gu, '');
  const words = own.length < SHORTEST_WORD ? WORDS : [own, ...WORDS];
  const rest = words.reduce((left, word) => left.replaceAll(word, ' '), text.replaceAll(/[^a-z]/gu, ''));
  return rest.replaceAll(' ', '').length;
}
