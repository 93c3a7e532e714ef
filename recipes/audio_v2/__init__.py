"""How musicu-audio-v2 was made: teachers, material, distillation, combination."""
