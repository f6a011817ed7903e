// The package as it is built: what is tortured is what is shipped.
export * from '../../../dist/index.js';
