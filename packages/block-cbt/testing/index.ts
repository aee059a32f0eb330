/** Devices to test with, and what every device must do. */
export { blockDeviceContract, type DeviceContractCase, type DeviceSubject, writableBlockDeviceContract } from './device-contract.ts';
export { type FileDevice, fileDevice, type TemporaryDirectory, temporaryDirectory } from './file-device.ts';
export { imageBytes, imageSize, type Piece, patternBytes, randomPieces, writeImage } from './image.ts';
