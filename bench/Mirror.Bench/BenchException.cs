namespace Mirror.Bench;

/// <summary>A measurement that cannot be had: what failed, and what to do about it.</summary>
internal sealed class BenchException(string message) : Exception(message);
