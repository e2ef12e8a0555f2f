using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Wiki.Users;

/// <summary>Passwords as PBKDF2 keeps them: <c>iterations.salt.hash</c>.</summary>
internal static class Password
{
    private const int Iterations = 210_000;
    private const int Size = 32;

    /// <summary>Verified against when there is no such user, so that the time taken does not tell.</summary>
    public static string Nobody { get; } = $"{Iterations}.{new string('A', 24)}.{Convert.ToBase64String(new byte[Size])}";

    public static string Hash(string password)
    {
        var salt = RandomNumberGenerator.GetBytes(18);
        return $"{Iterations}.{Convert.ToBase64String(salt)}.{Convert.ToBase64String(Derive(password, salt, Iterations))}";
    }

    public static bool Verify(string password, string stored)
    {
        var parts = stored.Split('.');
        var derived = Derive(password, Convert.FromBase64String(parts[1]), int.Parse(parts[0], CultureInfo.InvariantCulture));
        return CryptographicOperations.FixedTimeEquals(derived, Convert.FromBase64String(parts[2]));
    }

    private static byte[] Derive(string password, byte[] salt, int iterations) =>
        Rfc2898DeriveBytes.Pbkdf2(Encoding.UTF8.GetBytes(password), salt, iterations, HashAlgorithmName.SHA512, Size);
}
