import { putAllBeside } from './json-schemas.ts';

// What the tests of test/policy let the readers take, the JSON Schemas for editors must take as well.
putAllBeside();
