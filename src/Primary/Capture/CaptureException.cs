namespace Mirror.Primary.Capture;

/// <summary>A capture that must not become a version: says what stood in the way and what to do. Nothing was recorded.</summary>
public sealed class CaptureException(string message, Exception? inner = null) : Exception(message, inner);
